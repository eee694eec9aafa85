"""Italian sentences of our own to translate at speed, put together from parts: everyday ones, and long ones of prose.

The parts are multiplied, so a benchmark has thousands of different sentences and no corpus is needed to run it. The
mean of 6.5 words of everyday ones is near the 5.4 of Tatoeba's Italian; one in ten is a longer one of two clauses.
Those of prose have 25 words, a few more or less.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

SUBJECTS = (
    "Mia sorella", "Il vicino", "Tuo fratello", "La maestra", "Un amico", "Il medico", "La nonna", "Marco", "Anna",
    "Il postino", "Nessuno", "Qualcuno", "Mio zio", "La signora Rossi", "Il cuoco", "Tua madre",
)  # fmt: skip
VERBS = (
    "compra", "cerca", "prepara", "porta", "vende", "dimentica", "aspetta", "trova", "vuole", "guarda", "perde",
)  # fmt: skip
OBJECTS = (
    "il pane", "una bicicletta rossa", "le chiavi di casa", "un libro nuovo", "la cena", "due biglietti", "i fiori",
    "un bicchiere d'acqua", "il giornale", "le scarpe", "un cane piccolo", "la macchina", "tre mele", "il conto",
)  # fmt: skip
CIRCUMSTANCES = (
    "", "", "", " oggi", " ogni mattina", " al mercato", " per noi", " senza fretta", " prima di partire", " in città",
    " alle otto", " con suo figlio",
)  # fmt: skip
SHORT = (
    "Dove sei?", "Non lo so.", "Che ore sono?", "Ho fame.", "Piove ancora.", "Grazie di tutto.", "A che ora parti?",
    "Siamo stanchi.", "Ti voglio bene.", "È troppo tardi.",
)  # fmt: skip
SECOND_CLAUSES = (
    ", ma non ha abbastanza soldi con sé", " perché domani arrivano i suoi genitori dalla campagna",
    ", anche se tutti gli dicono di non farlo", " e poi torna a piedi lungo il fiume",
    " quando i bambini sono già a scuola", ", e nessuno capisce come faccia",
)  # fmt: skip
SHORT_SHARE, LONG_SHARE = 0.15, 0.1
SYLLABLES = [consonant + vowel for consonant in "bcdfglmnprstvz" for vowel in "aeiou"]

OPENINGS = (
    "Quando la neve comincia a sciogliersi", "Dopo molti anni passati in città", "Prima che il sole tramonti",
    "Mentre gli altri dormono ancora", "Se la pioggia non smette entro sera", "Ogni volta che il treno è in ritardo",
    "Anche se nessuno lo ha chiesto", "Appena la scuola chiude per le vacanze", "Poiché il ponte non è più sicuro",
    "Durante le lunghe notti di gennaio", "Alla fine di una giornata difficile", "Senza dire una parola a nessuno",
)  # fmt: skip
PEOPLE = (
    "il vecchio pescatore", "la figlia del farmacista", "un giovane medico di campagna", "la guida del museo",
    "il direttore della biblioteca", "la donna con il cappello verde", "uno straniero dai modi gentili",
    "la padrona dell'albergo", "il guardiano del faro", "l'orologiaio del paese", "la maestra di musica",
    "il fratello maggiore di Elena",
)  # fmt: skip
DEEDS = (
    "ripara con cura le reti strappate", "scrive lunghe lettere agli amici lontani",
    "accende il fuoco e prepara la zuppa", "racconta ai bambini la storia del castello",
    "mette in ordine le carte della famiglia",
    "cammina con passo lento fino alla stazione", "guarda dalla finestra le barche del porto",
    "conta le monete rimaste nel cassetto", "porta il pane fresco ai vicini malati",
    "studia le mappe dei sentieri di montagna", "cerca tra gli scaffali un libro dimenticato",
    "aspetta una notizia che non arriva",
)  # fmt: skip
REMARKS = (
    " perché il lavoro di tanti anni non vada perduto", " e poi resta in silenzio accanto alla porta aperta",
    ", ma nessuno sa davvero che cosa stia pensando", ", come faceva suo padre in quella stessa casa",
    " finché qualcuno non bussa e chiede un bicchiere d'acqua", ", sperando che il giorno seguente porti fortuna",
    " anche quando il vento piega gli alberi", ", con la pazienza che aveva imparato da sua nonna",
    " e ricorda il profumo dei limoni nel giardino", " così che tutto sia pronto per la festa",
    ", e il tempo passa più in fretta del previsto", " mentre dalla piazza arriva la musica della banda",
)  # fmt: skip


def sentences(count: int, seed: int = 1) -> list[str]:
    """`count` sentences, all different but for the short ones; the same for the same arguments."""
    rng = random.Random(seed)
    return [_sentence(rng) for _ in range(count)]


def _sentence(rng: random.Random) -> str:
    kind = rng.random()
    if kind < SHORT_SHARE:
        return rng.choice(SHORT)
    second = rng.choice(SECOND_CLAUSES) if kind > 1 - LONG_SHARE else ""
    first = f"{rng.choice(SUBJECTS)} {rng.choice(VERBS)} {rng.choice(OBJECTS)}"
    return f"{first}{rng.choice(CIRCUMSTANCES)}{second}."


def prose(count: int, seed: int = 1) -> list[str]:
    """`count` sentences of some 25 words; the same for the same arguments."""
    rng = random.Random(seed)
    return [
        f"{rng.choice(OPENINGS)}, {rng.choice(PEOPLE)} {rng.choice(DEEDS)}{rng.choice(REMARKS)}." for _ in range(count)
    ]


def nonsense(count: int, seed: int = 1) -> list[str]:
    """`count` sentences of no language, each with numbers to lose: many of their translations show a fault."""
    rng = random.Random(seed)

    def word() -> str:
        return "".join(rng.choices(SYLLABLES, k=rng.randint(2, 4)))

    return [
        f"{word().capitalize()} {rng.randint(100, 9999)} {word()} {word()} {rng.randint(100, 9999)} {word()} {word()}."
        for _ in range(count)
    ]


def mean_words(texts: Sequence[str]) -> float:
    """Words of a text on average, as white space separates them."""
    return sum(len(text.split()) for text in texts) / len(texts)
