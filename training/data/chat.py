"""How people write in chats: `im`, `dont`, `nn`, `cmq`. The words change, what they mean does not."""

from __future__ import annotations

import random
import re
from collections.abc import Collection

SHORT = {
    "you": ("u",), "your": ("ur",), "are": ("r",), "please": ("pls", "plz"), "thanks": ("thx",), "okay": ("ok",),
    "tomorrow": ("tmrw", "tmr"), "tonight": ("tonite",), "because": ("bc", "cuz", "cos"), "people": ("ppl",),
    "before": ("b4",), "about": ("abt",), "message": ("msg",), "minutes": ("mins",), "really": ("rly",),
    "non": ("nn",), "comunque": ("cmq",), "perché": ("xke", "xké", "xche", "perke"), "che": ("ke",), "anche": ("anke",),
    "qualcosa": ("qlcs", "qualcs"), "qualcuno": ("qlcn",), "qualche": ("qlc",), "grazie": ("grz",), "tutto": ("tt",),
    "sono": ("sn",), "questo": ("qst",), "quando": ("qnd",), "messaggio": ("msg",), "minuti": ("min",),
}  # fmt: skip
"""A word of either language -> its short forms, the commonest first. A common word of both, such as `per`, has none."""
CHAT = re.compile(
    r"(?<![\w'’./@-])(?:"
    r"[a-z]+n['’]t|i['’]m|(?:i|you|they|we)['’]ve|(?:you|they)['’]re|(?:what|that|there|where|who|how|let|it)['’]s"
    rf"|{'|'.join(SHORT)})(?![\w'’@-]|[./:?=]\w)",
    re.IGNORECASE,
)
"""What has short forms, or loses its apostrophe; not in addresses and compounds. `We're`, `I'll` keep theirs: people
type `its`, `lets` and `wont`, but hardly `were` or `ill` for them."""


def as_in_chats(text: str, rng: random.Random | None = None, spared: Collection[str] = ()) -> str:
    """`Why don't you come?` -> `Why dont u come?`

    Args:
        text: a sentence of either language.
        rng: leaves half of the words as they are, and draws the forms of the others. Without it all become the first.
        spared: words that stay, such as those that stand in the translation too.
    """

    def short(found: re.Match[str]) -> str:
        word = found[0]
        if word in spared:
            return word
        forms = SHORT.get(word.lower()) or (re.sub("['’]", "", word),)
        if rng is not None and rng.random() < 0.5:
            return word
        form = rng.choice(forms) if rng else forms[0]
        if word.isupper() and len(word) > 1:
            return form.upper()
        return form[0].upper() + form[1:] if word[0].isupper() else form

    return CHAT.sub(short, text)
