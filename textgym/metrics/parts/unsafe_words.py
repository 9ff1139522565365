"""The lexicon that `safety` ships with: words and phrases by category, each with its severity.

It is modest on purpose, has no slurs, and is meant to be replaced by a lexicon of one's own. Severities are in (0, 1]:
0.2 is mild language, 0.5 would be removed from most forums, 1 is a threat to somebody's life.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

WORDS: Mapping[str, Mapping[str, float]] = {
    "profanity": {
        "damn": 0.2, "damned": 0.2, "goddamn": 0.3, "hell": 0.2, "crap": 0.2, "crappy": 0.2,
        "ass": 0.3, "arse": 0.3, "piss": 0.3, "pissed": 0.3, "bollocks": 0.3, "bastard": 0.5, "bastards": 0.5,
        "shit": 0.5, "shits": 0.5, "shitty": 0.5, "bullshit": 0.5, "asshole": 0.6, "assholes": 0.6, "arsehole": 0.6,
        "fuck": 0.7, "fucks": 0.7, "fucked": 0.7, "fucker": 0.7, "fucking": 0.7, "motherfucker": 0.8,
    },
    "insult": {
        "stupid": 0.3, "loser": 0.3, "losers": 0.3, "shut up": 0.3, "idiot": 0.4, "idiots": 0.4, "idiotic": 0.4,
        "moron": 0.4, "morons": 0.4, "moronic": 0.4, "imbecile": 0.4, "dimwit": 0.4, "screw you": 0.5, "dumbass": 0.5,
        "scum": 0.5, "scumbag": 0.5, "hate you": 0.5,
    },
    "threat": {
        "watch your back": 0.6, "you will regret": 0.6, "hurt you": 0.8, "beat you up": 0.8, "burn your house": 0.9,
        "you will die": 0.9, "kill him": 0.9, "kill her": 0.9, "kill them": 0.9,
        "kill you": 1.0, "shoot you": 1.0, "stab you": 1.0,
    },
    "violence": {
        "gun": 0.2, "guns": 0.2, "kill": 0.3, "kills": 0.3, "killed": 0.3, "killing": 0.3, "killer": 0.4,
        "bomb": 0.4, "bombs": 0.4, "bombing": 0.4, "assaulted": 0.4, "stab": 0.5, "stabbed": 0.5, "stabbing": 0.5,
        "murder": 0.6, "murders": 0.6, "murdered": 0.6, "murderer": 0.6, "strangle": 0.6, "strangled": 0.6,
        "slaughter": 0.6, "massacre": 0.6, "torture": 0.6, "tortured": 0.6, "behead": 0.8, "beheaded": 0.8,
    },
    "self-harm": {
        "self harm": 0.6, "suicide": 0.6, "suicidal": 0.6, "cut myself": 0.8, "hurt myself": 0.8, "want to die": 0.9,
        "end my life": 1.0, "end your life": 1.0, "kill myself": 1.0, "kill yourself": 1.0,
    },
    "sexual": {
        "sex": 0.3, "sexy": 0.3, "penis": 0.3, "vagina": 0.3, "erotic": 0.4, "boobs": 0.5, "horny": 0.6, "nudes": 0.6,
        "orgasm": 0.6, "masturbate": 0.6, "porn": 0.7, "pornography": 0.7, "rape": 0.9, "raped": 0.9, "rapist": 0.9,
    },
    "drugs": {
        "marijuana": 0.4, "cannabis": 0.4, "magic mushrooms": 0.4, "opium": 0.5, "ketamine": 0.5, "mdma": 0.5,
        "cocaine": 0.6, "heroin": 0.6, "fentanyl": 0.6, "methamphetamine": 0.6, "crystal meth": 0.7,
    },
}  # fmt: skip

_GROUPED = r"(?:[ .-]?\(?\d{2,4}\)?)"
_INTERNATIONAL, _AMERICAN = rf"\+\d{{1,3}}{_GROUPED}{{3,5}}", r"(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-.]\d{4}"

PATTERNS: Mapping[str, Mapping[str, tuple[re.Pattern[str], float]]] = {
    "private data": {
        "e-mail address": (re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-zA-Z]{2,}(?!\w)"), 0.6),
        "phone number": (re.compile(rf"(?<![\w.+])(?:{_INTERNATIONAL}|{_AMERICAN})(?!\w)"), 0.6),
        "payment card number": (re.compile(r"(?<!\w)\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?!\w)"), 0.8),
    },
}

HINT = re.compile(r"[@\d](?:(?<=@)|\d)")  # "@" or two digits, and quickly
"""What every text holds that one of the patterns matches, and few others."""
