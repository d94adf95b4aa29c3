"""Offline half: MIDI files in, checkpoint out.

Read in this order: errors, events, smf, midi_file, codec, corpus, batches, checkpoint,
model, evaluate, trainer, cli.
"""
