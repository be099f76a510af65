"""How a page is put together: pure functions over arrays, the same in serving and in evaluation."""
