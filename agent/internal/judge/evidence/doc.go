// Package evidence files an audit so that its verdict can be computed again, a year later
// and without a network.
//
//	err := evidence.Write(w, bundle)
//	bundle, err := evidence.Read(file)
//	then, now := bundle.Judge(ctx, bundle.Manifest.Generated), bundle.Judge(ctx, time.Now())
//
// A bundle is a gzipped tar: manifest.json, the documents as they were read, judged.json
// (who was judged, and which document bears on whom), audit-report.json. Of templates and plans it
// holds the policies that were judged and nothing else. Read takes no file of anybody's
// word: it is bounded, and refuses whatever Write would not have written.
//
// It does not tell who made a bundle; a signature or a hash kept elsewhere does. How
// templates were resolved into documents is not done again.
package evidence
