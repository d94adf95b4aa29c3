"""Offline half: MIDI files in, checkpoint out.

Read in this order: errors, events, ticks, smf, midi_file, codec, corpus, cache, batches,
checkpoint, model, evaluate, workers, trainer, presets, curve, cli.
"""
