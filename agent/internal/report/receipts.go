package report

import (
	"encoding/json"
	"io"
	"strings"
	"time"

	"buzon/agent/internal/locale"
	"buzon/agent/internal/send/receipt"
	"buzon/agent/internal/send/verify"
)

// receiptMarks are how each outcome of a comparison is shown: with ✗ what makes the exit code 1.
var receiptMarks = map[verify.Outcome]string{
	verify.Missing: "failed", verify.Differs: "failed", verify.Hidden: "failed", verify.Unexpected: "failed", verify.Unread: "unproven",
}

// Receipts writes a comparison of receipts with the bucket as text: each receipt or object that is not as it should
// be, then the counts.
func Receipts(w io.Writer, p *locale.Printer, r *verify.Result, screen Screen) error {
	var b strings.Builder
	for i := range r.Findings {
		f := &r.Findings[i]
		mark := screen.mark(p, receiptMarks[f.Outcome])
		all := screen.lines(receiptFinding(p, f), locale.Columns(mark)+1)
		b.WriteString(mark + " " + strings.TrimLeft(all[0], " ") + "\n")
		for _, line := range all[1:] {
			b.WriteString(line + "\n")
		}
	}
	if len(r.Findings) > 0 {
		b.WriteByte('\n')
	}
	for _, line := range receiptCounts(p, r) {
		screen.say(&b, line)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// receiptFinding is one finding in words.
func receiptFinding(p *locale.Printer, f *verify.Finding) string {
	args := []any{"bucket", f.Bucket, "key", f.Key, "version", f.VersionID}
	if f.Receipt != nil {
		args = append(args, "path", f.Receipt.SourcePath, "sent", f.Receipt.SentAt, "size", locale.Size(f.Receipt.Size), "crc", f.Receipt.CRC64NVME)
	}
	switch f.Outcome {
	case verify.Missing:
		if f.Receipt.Evidence == receipt.Inferred {
			return p.Text("verify.missing-inferred", args...)
		}
		return p.Text("verify.missing", args...)
	case verify.Differs:
		args = append(args, "found", locale.Size(f.Found.Size), "other", receipt.FormatCRC(f.Found.CRC64))
		switch {
		case f.Found.Size != f.Receipt.Size && f.Receipt.Evidence == receipt.Inferred:
			return p.Text("verify.size-inferred", args...)
		case f.Found.Size != f.Receipt.Size:
			return p.Text("verify.size", args...)
		case f.Receipt.Evidence == receipt.Inferred:
			return p.Text("verify.bytes-inferred", args...)
		}
		return p.Text("verify.bytes", args...)
	case verify.Hidden:
		return p.Text("verify.hidden", args...)
	case verify.Unexpected:
		args = append(args, "found", locale.Size(f.Found.Size))
		return p.Text("verify.unexpected", args...)
	case verify.Unread:
		args = append(args, "code", f.Fault.Code)
		if f.Key == "" {
			return p.Text("verify.unlisted", args...)
		}
		return p.Text("verify.unread", args...)
	}
	return string(f.Outcome)
}

// receiptCounts are the closing lines.
func receiptCounts(p *locale.Printer, r *verify.Result) []string {
	var all []string
	for _, place := range r.Places {
		args := []any{"n", place.Objects, "bucket", place.Bucket, "prefix", place.Prefix}
		switch place.Listing {
		case verify.AllVersions:
			all = append(all, p.Text("verify.listed", args...))
		case verify.CurrentOnly:
			all = append(all, p.Text("verify.listed-current", args...))
		case verify.NotListed:
		}
	}
	all = append(all, p.Text("verify.receipts", "n", r.Receipts, "matched", r.Matched))
	for _, c := range []struct {
		id string
		n  int64
	}{
		{"verify.count-confirmed", r.Confirmed}, {"verify.count-superseded", r.Superseded},
		{"verify.count-missing", r.Count(verify.Missing)}, {"verify.count-differs", r.Count(verify.Differs)},
		{"verify.count-hidden", r.Count(verify.Hidden)}, {"verify.count-unexpected", r.Count(verify.Unexpected)},
		{"verify.count-unread", r.Count(verify.Unread)},
	} {
		if c.n > 0 {
			all = append(all, p.Text(c.id, "n", c.n))
		}
	}
	if len(r.Findings) == 0 && r.Receipts > 0 {
		all = append(all, p.Text("verify.all"))
	}
	return all
}

// receiptsJSON is buzon/verify/v1.
type receiptsJSON struct {
	Schema     string           `json:"schema"`
	Generated  string           `json:"generated"`
	Tool       checkTool        `json:"tool"`
	Receipts   int64            `json:"receipts"`
	Matched    int64            `json:"matched"`
	Confirmed  int64            `json:"confirmed"`
	Superseded int64            `json:"superseded"`
	Counts     map[string]int64 `json:"counts"`
	Places     []receiptsPlace  `json:"listed"`
	Findings   []receiptsLine   `json:"findings"`
}

type receiptsPlace struct {
	Bucket  string `json:"bucket"`
	Prefix  string `json:"prefix"`
	Listing string `json:"listing"`
	Objects int64  `json:"objects"`
}

type receiptsLine struct {
	Outcome   string           `json:"outcome"`
	Bucket    string           `json:"bucket"`
	Key       string           `json:"key,omitempty"`
	VersionID string           `json:"version_id,omitempty"`
	Receipt   *receipt.Receipt `json:"receipt,omitempty"`
	Found     *receiptsObject  `json:"found,omitempty"`
	Code      string           `json:"code,omitempty"`
}

type receiptsObject struct {
	Size      int64  `json:"size"`
	CRC64NVME string `json:"crc64nvme,omitempty"`
	Read      bool   `json:"read"` // the bytes were read for it
}

// ReceiptsJSON writes a comparison as buzon/verify/v1; it is the same in both languages.
func ReceiptsJSON(w io.Writer, r *verify.Result, now time.Time, version string) error {
	out := receiptsJSON{
		Schema: "buzon/verify/v1", Generated: now.UTC().Format(time.RFC3339), Tool: checkTool{version},
		Receipts: r.Receipts, Matched: r.Matched, Confirmed: r.Confirmed, Superseded: r.Superseded,
		Counts: map[string]int64{}, Places: []receiptsPlace{}, Findings: []receiptsLine{},
	}
	for _, o := range verify.Outcomes {
		out.Counts[string(o)] = r.Count(o)
	}
	for _, p := range r.Places {
		out.Places = append(out.Places, receiptsPlace{p.Bucket, p.Prefix, string(p.Listing), p.Objects})
	}
	for _, f := range r.Findings {
		line := receiptsLine{Outcome: string(f.Outcome), Bucket: f.Bucket, Key: f.Key, VersionID: f.VersionID, Receipt: f.Receipt, Code: f.Fault.Code}
		if o := f.Found; o != nil {
			line.Found = &receiptsObject{Size: o.Size, Read: o.Read}
			if o.Known {
				line.Found.CRC64NVME = receipt.FormatCRC(o.CRC64)
			}
		}
		out.Findings = append(out.Findings, line)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(out)
}
