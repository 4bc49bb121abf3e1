# The variations of one sound. Each call of pick() gives another one at random.
extends Resource

export(Array, Resource) var streams = []
var _last = -1


func pick():
	if streams.empty():
		return null
	var next = randi() % streams.size()
	if next == _last:
		next = (next + 1) % streams.size()
	_last = next
	return streams[next]
