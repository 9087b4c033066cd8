package s3server

// Names of the room's own that its tests look at.
var (
	Combine = combine
	Encode  = encode
)
