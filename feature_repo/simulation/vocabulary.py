"""Words, names, countries and languages the simulated catalogue is written with."""

from __future__ import annotations

from typing import Final, NamedTuple


class Country(NamedTuple):
    """A market: its main language, its share of members and its clock."""

    code: str
    language: str
    share: float
    utc_offset_hours: int


COUNTRIES: Final = (
    Country("US", "en", 0.26, -6), Country("GB", "en", 0.10, 0), Country("CA", "en", 0.05, -5),
    Country("BR", "pt", 0.10, -3), Country("MX", "es", 0.08, -6), Country("ES", "es", 0.05, 1),
    Country("DE", "de", 0.09, 1), Country("FR", "fr", 0.08, 1), Country("IN", "hi", 0.08, 5),
    Country("JP", "ja", 0.06, 9), Country("KR", "ko", 0.05, 9),
)  # fmt: skip
LANGUAGES: Final = ("en", "es", "pt", "de", "fr", "hi", "ja", "ko")
CATALOGUE_LANGUAGE_SHARES: Final = (0.46, 0.11, 0.07, 0.07, 0.07, 0.08, 0.07, 0.07)
"""Share of the catalogue per language, in the order of LANGUAGES."""

GENRE_WORDS: Final = {
    "Action": "explosion agent rescue chase mercenary convoy heist bodyguard commando pursuit sniper raid",
    "Adventure": "expedition map jungle treasure voyage island compass caravan summit relic ruins river",
    "Animation": "sketchbook toymaker critter balloon lantern paintbrush talking squirrel clockwork puppet",
    "Anime": "mecha shrine sensei academy spirit blade tournament kitsune pilot ronin summoning cherry",
    "Biography": "memoir inventor portrait legacy letters pioneer laureate childhood struggle fame archive",
    "Children": "kindergarten teddy rhyme alphabet bedtime puppy playground crayons sandbox lullaby pond",
    "Comedy": "mishap prank roommate awkward wedding misunderstanding bumbling hilarious neighbour party",
    "Crime": "detective cartel informant precinct robbery ledger smuggler witness alibi syndicate verdict",
    "Documentary": "interviews footage investigation testimony evidence whistleblower archive exposes",
    "Drama": "grief estranged confession marriage inheritance hospital silence forgiveness daughter regret",
    "Family": "grandparents reunion holiday siblings kitchen homecoming tradition picnic cousins farmhouse",
    "Fantasy": "dragon sorcerer prophecy kingdom amulet elf throne enchanted oracle spellbound griffin",
    "Film-Noir": "femme shadow cigarette alley detective blackmail rain trenchcoat nightclub doublecross",
    "Food & Travel": "chef market recipe street flavours vineyard noodles harbour spices bakery itinerary",
    "History": "empire dynasty treaty revolution parliament medieval cathedral conquest chronicle emperor",
    "Horror": "haunted scream possession basement ritual ghoul curse nightmare cellar asylum demon",
    "Music": "concert guitarist album backstage melody tour rehearsal studio vinyl drummer encore",
    "Musical": "broadway chorus dancer overture costume spotlight audition tapdance stage duet finale",
    "Mystery": "vanished clue riddle locked sleuth manor cipher suspect missing diary stranger",
    "Nature": "savanna glacier predator migration reef rainforest hatchling wilderness species herd tundra",
    "Reality": "contestants elimination villa judges challenge finalists makeover renovation dating dare",
    "Romance": "kiss sweetheart proposal longing lovers bouquet paris letters wedding heartbreak reunited",
    "Science Fiction": "starship android colony wormhole alien quantum orbit clone terraform cyborg nebula",
    "Sport": "coach championship stadium underdog match training goalkeeper sprint rivalry trophy league",
    "Stand-Up": "comedian microphone punchline heckler audience set onstage deadpan jokes special",
    "Talk Show": "host guests monologue couch celebrity desk band interview panel tonight",
    "Teen": "prom highschool crush homework locker graduation clique diary skateboard summer",
    "Thriller": "hostage conspiracy deadline stalker kidnapped paranoia assassin blackout ransom",
    "War": "trench platoon battalion frontline soldier bombing resistance armistice medic barracks",
    "Western": "sheriff saloon outlaw ranch frontier stagecoach duel cattle prairie bounty",
}  # fmt: skip
"""Words a synopsis of the genre is made of, separated by spaces."""

GENRE_SHARES: Final = {
    "Action": 8, "Adventure": 5, "Animation": 4, "Anime": 4, "Biography": 2, "Children": 4, "Comedy": 12,
    "Crime": 7, "Documentary": 6, "Drama": 15, "Family": 4, "Fantasy": 4, "Film-Noir": 1,
    "Food & Travel": 2, "History": 2, "Horror": 5, "Music": 2, "Musical": 1, "Mystery": 4, "Nature": 2,
    "Reality": 4, "Romance": 8, "Science Fiction": 5, "Sport": 2, "Stand-Up": 2, "Talk Show": 1,
    "Teen": 3, "Thriller": 8, "War": 2, "Western": 1,
}  # fmt: skip
"""How common each genre is, relative to the others."""

YOUNG_GENRES: Final = ("Animation", "Children", "Family")
"""Genres suitable for the youngest; profiles with a low maturity limit like them."""
ADULT_GENRES: Final = ("Crime", "Film-Noir", "Horror", "Thriller", "War")
EPISODIC_GENRES: Final = ("Anime", "Food & Travel", "Reality", "Talk Show")
SHORT_GENRES: Final = ("Animation", "Comedy", "Music", "Stand-Up")
LONG_GENRES: Final = ("Biography", "Crime", "Drama", "History", "Thriller", "War")

SCENE_WORDS: Final = (
    "lighthouse orchard winter", "casino neon midnight", "desert radio mirage", "monastery bell snow",
    "carnival mask confetti", "submarine sonar depth", "violin attic waltz", "railway tunnel whistle",
    "circus trapeze sawdust", "greenhouse orchid mist", "chess clock gambit", "volcano ash ember",
    "carousel amber dusk", "printing ink pamphlet", "aquarium coral glass", "observatory comet lens",
    "bicycle canal bridge", "hotel corridor bellhop", "beekeeper honey meadow", "tattoo harbour anchor",
    "typewriter exile passport", "marble sculptor chisel", "vineyard cellar barrel",
    "airfield propeller hangar",
)  # fmt: skip
"""Circles of film people and the images they return to: a taste that genres do not show."""

_ADJECTIVES: Final = (
    "Silent Crimson Hidden Golden Broken Last Distant Wild Paper Hollow Electric Velvet Northern "
    "Burning Secret Endless Little Midnight Glass Restless Lonely Bitter Gentle Iron Scarlet "
    "Forgotten Blue Wandering Sleepless Perfect"
)
_PART_NAMES: Final = (
    "Embers Return Origins Aftermath Reckoning Daybreak Legacy Homecoming Revival Crossroads Horizon Eclipse"
)
_FIRST_NAMES: Final = (
    "Ada Amir Ana Arjun Bea Bruno Carla Chloe Dae Diego Elif Emma Femi Freya Gael Hana Hugo Ines "
    "Ivan Jun Kai Lena Luca Mara Mei Milo Nadia Noah Omar Pia Priya Rafa Rosa Sami Sora Tara Theo "
    "Uma Yuki Zoe"
)
_LAST_NAMES: Final = (
    "Abara Almeida Bauer Bennett Castro Choi Costa Das Dubois Ekman Fischer Garcia Haas Ito Jansen "
    "Kapoor Kato Kim Lambert Lopez Mbeki Meyer Moreau Nakamura Novak Okafor Park Patel Quinn Reyes "
    "Rossi Sato Silva Singh Sousa Tanaka Torres Vogel Weber Yoon"
)

ADJECTIVES: Final = tuple(_ADJECTIVES.split())
PART_NAMES: Final = tuple(_PART_NAMES.split())
FIRST_NAMES: Final = tuple(_FIRST_NAMES.split())
LAST_NAMES: Final = tuple(_LAST_NAMES.split())
