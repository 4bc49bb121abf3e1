"""What workers do: recipes into durable takes, takes into durable masters.

A worker gets sessions, and orders for each session one by one; it sends events back. Everything that it finishes is in
the store before its event is sent. `pipeline.jobs.work_items` has all of these messages. `pipeline.jobs.takes` and
`pipeline.jobs.masters`, which do the work, import all of audio and mastering and are for workers only.
"""
