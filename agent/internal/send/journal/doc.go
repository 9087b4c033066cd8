// Package journal is the only memory of what was sent: a durable record of every file and of every intent.
//
// A write-only key can't ask the bucket what is there, so the journal holds the intent before the request and the
// receipt after it. [Open] locks the state folder for one process and opens STATE/journal.db (bbolt). [Journal.Add]
// accepts files; [Journal.Save] moves one [Entry] to its next [State] and returns when that is on the disk;
// [Journal.SaveLater] does the same without waiting. Changes that wait are committed together, by what is waiting
// and not by a timer. Only transitions in the table of state.go are accepted.
//
// An [Entry] that the caller holds is a copy: one owner changes it and saves it. Reading never waits for a commit.
// The journal does not look at files or at the bucket, and makes no decision about a 412.
//
// It does not promise to survive a disk that loses what it said was synced; it then says that it is damaged, keeps
// the file, and never begins a new one by itself.
package journal
