// Package report prints results: a verdict, a pass through the gate, a
// status, the progress of a transfer; as text in either language, as JSON,
// SARIF, CSV or HTML.
//
//	err := report.Check(os.Stdout, words, result, outboxes, color)
//
// Each kind of result has its files, and text and JSON are two printers of
// one type. Nothing here decides: what a result means was settled in the room
// that made it.
package report
