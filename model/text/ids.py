"""The ids that both kinds of vocabulary keep for the same purpose: all that network and search know of a text."""

PAD, UNK, BOS, EOS = 0, 1, 2, 3
