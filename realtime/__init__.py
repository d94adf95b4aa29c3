"""Live half: checkpoint in, music out. Nothing here imports torch.

Three processes, one way each: the composer writes what to play and when, the player sends it
at that time, the daemon stands between them, watches both and tells the musician.

Read in this order: wire, clock, priority, ports, ledger, scheduler, hearing, player; engine,
plain, sampler,
performer, control, composer; report, recording, child, pulse, systemd, daemon, render, terminal,
status, check, service, cli.
"""
