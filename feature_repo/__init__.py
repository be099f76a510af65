from feature_repo import lean_feast as lean_feast
