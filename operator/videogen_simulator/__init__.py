"""A stand-in for the video API of the channel of record, to rehearse with for $0.

The pure part: `rules` (a request becomes an order, or is refused), `scenarios` (what may go
wrong), `tasks` (the life of a task), `clip` (the MP4). `gateway` holds accounts and tasks,
`book` and `ledger` the record of what happened, `rehearsal` and `markers` which scenario meets
which POST; `reading`, `sending`, `routes`, `control` and `server` are HTTP.
`docs/simulator.md` describes it with real exchanges.
"""
