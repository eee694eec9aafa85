"""One request: languages, memory, sentences, engine, and back to whole texts."""
