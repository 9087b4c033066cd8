// Package ordeal makes files as badly as real programs do, and keeps the book of every version that was ever whole:
// it creates, appends, renames, also over another file, rewrites under the same name, deletes, and creates again, slowly
// or at once, with odd names and odd times, while somebody else kills the agent and breaks the network.
//
//	w := ordeal.NewWorld(seed, outboxes…)
//	w.Write(ctx)                          // some seconds of it
//	faults := w.Judge(objects, receipts)  // what of the promises is broken
//
// A version is what a file held when its writer let go of it. Each is unlike every other, so that whatever stands in
// the bucket can be told: a version, once or twice, or something torn.
//
// It does not promise to find every fault: the seed decides what happens, the machine when.
package ordeal
