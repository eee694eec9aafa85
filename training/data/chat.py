"""How people write in chats: `im`, `dont`, `nn`, `cmq`. The words change, what they mean does not."""

from __future__ import annotations

import random
import re

SHORT = {
    "you": ("u",), "your": ("ur",), "are": ("r",), "please": ("pls", "plz"), "thanks": ("thx",), "okay": ("ok",),
    "tomorrow": ("tmrw", "tmr"), "tonight": ("tonite",), "because": ("bc", "cuz", "cos"), "people": ("ppl",),
    "before": ("b4",), "about": ("abt",), "message": ("msg",), "minutes": ("mins",), "really": ("rly",),
    "non": ("nn",), "comunque": ("cmq",), "perché": ("xke", "xké", "xche", "perke"), "che": ("ke",), "anche": ("anke",),
    "qualcosa": ("qlcs", "qualcs"), "qualcuno": ("qlcn",), "qualche": ("qlc",), "grazie": ("grz",), "tutto": ("tt",),
    "sono": ("sn",), "questo": ("qst",), "quando": ("qnd",), "messaggio": ("msg",), "minuti": ("min",),
}  # fmt: skip
"""A word of either language -> its short forms, the commonest first. A word that is one of the other language too, such
as `per`, has none here."""
CHAT = re.compile(
    r"(?<![\w'’])(?:"
    r"[a-z]+n['’]t|i['’]m|(?:i|you|they|we)['’]ve|(?:you|they)['’]re|(?:what|that|there|where|who|how|let|it)['’]s"
    rf"|{'|'.join(SHORT)})(?![\w'’])",
    re.IGNORECASE,
)
"""What has short forms, or loses its apostrophe. `We're`, `I'll` keep theirs: other words would come of them."""


def as_in_chats(text: str, rng: random.Random | None = None) -> str:
    """`Why don't you come?` -> `Why dont u come?`

    Args:
        text: a sentence of either language.
        rng: leaves half of the words as they are, and draws the forms of the others. Without it all become the first.
    """

    def short(found: re.Match[str]) -> str:
        word = found[0]
        forms = SHORT.get(word.lower()) or (re.sub("['’]", "", word),)
        if rng is not None and rng.random() < 0.5:
            return word
        form = rng.choice(forms) if rng else forms[0]
        if word.isupper() and len(word) > 1:
            return form.upper()
        return form[0].upper() + form[1:] if word[0].isupper() else form

    return CHAT.sub(short, text)
