"""Training of the bundled model: scenes, tokenizer, network, trainer, evaluation and export."""
