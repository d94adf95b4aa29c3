"""Live half: checkpoint in, music out. Nothing here imports torch.

Three processes, one way each: the composer writes what to play and when, the player sends it
at that time, the daemon stands between them, watches both and tells the musician.

Read in this order. What plays: wire, timer, clock, priority, names, jack, rehearsal, ports, ledger,
scheduler, allowance, hearing, thru, transport, metronome, watch, player. What composes: settings,
engine, plain, keeping, past, bias, sampler, modes, human, tempo, grid, pacing, stream, form,
machine, performer, follower, fingerprint, swap, obeying, course, composer. What watches and tells:
child, signals, control, pulse, part, band, outlet, song, link, report, recording, score, take,
tape, systemd, osc, orders, desk, mending, daemon. What one types: render, replay, terminal,
status, check, service, config, ensemble, options, learn, instead, cli, generate.
"""
