"""The proof that nothing accepted is lost and nothing sent twice: a real deployment is killed and its far ends read.

``make chaos`` starts a broker, a worker with its model worker and a mail server that misbehaves, posts a steady mix of
jobs, and meanwhile kills every part, at random moments and at each point before and after a write or a send. At the end
the judge reads what users see: the API, the mailbox, the inbox and the ledger. The parts:

- `chaos.ground` runs the deployment, `chaos.smtp` the mail server, `chaos.load` the clients;
- `chaos.points`, `chaos.attacks` and `chaos.script` are what is done to it, and when; `chaos.watch` measures recovery;
- `chaos.evidence` gathers what is left, `chaos.judge` decides, `chaos.table` says it;
- `chaos.plants` has bugs to plant, one at a time, that the judge must find.
"""
