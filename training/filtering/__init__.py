"""Which pairs of the corpus are no translations of each other, by the models' own judgement."""
