"""The base language models in checkpoints/: their corpus, tokenizer and training, all from what is at hand."""
