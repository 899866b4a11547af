"""A worker meets requests that nobody would send on purpose, a hundred thousand of them, and must mind none.

``make fuzz`` starts a broker and a worker with API keys, sends what the generators make up, and looks meanwhile at the
worker's health check, its memory, its open files and its log. The parts:

- `fuzz.ground` runs the deployment and its tenants, `fuzz.wire` speaks to it over bare sockets;
- `fuzz.places` are the routes; `fuzz.framing`, `fuzz.heads`, `fuzz.routes`, `fuzz.words`, `fuzz.forms`, `fuzz.packed`,
  `fuzz.slow` and `fuzz.bent` make requests by hand, `fuzz.drawn` with hypothesis, `fuzz.described` with schemathesis;
  `fuzz.strangers` asks for what is another tenant's;
- `fuzz.mix` says how many of each there are, `fuzz.run` sends them;
- `fuzz.watch` looks at the worker, `fuzz.tally` counts, `fuzz.table` says it;
- `fuzz.plants` has bugs to plant, one at a time, that must be found.

Each request follows from the seed, its generator's name and its number alone: ``--again NAME/NUMBER`` sends it again.
"""
