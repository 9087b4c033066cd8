package evidence

import (
	"bytes"
	"encoding/json"
	"time"

	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/judge/reach"
)

// decided is what a report decides, without its sentences and places.
type decided struct {
	Generated  time.Time     `json:"generated"`
	Verdict    audit.Verdict `json:"verdict"`
	Tool       Tool          `json:"tool"`
	Principals []struct {
		ARN       string        `json:"arn"`
		Verdict   audit.Verdict `json:"verdict"`
		Undecided []struct {
			Reason string `json:"reason"`
		} `json:"undecided"`
		Findings []struct {
			Rule     audit.RuleID   `json:"rule"`
			Severity audit.Severity `json:"severity"`
			Actions  []string       `json:"actions"`
			Waived   *struct{}      `json:"waived"`
		} `json:"findings"`
	} `json:"principals"`
}

func decisions(report []byte) (decided, error) {
	var d decided
	err := json.Unmarshal(report, &d)
	return d, err
}

// Agreement is what two reports on the same documents have in common.
type Agreement uint8

// The agreements.
const (
	Otherwise Agreement = iota // they decide otherwise
	InWords                    // they decide the same, and say it otherwise
	Wholly                     // they are the same, byte for byte
)

// Agree compares two reports, each buzon/audit/v1, of one time.
func Agree(a, b []byte) (Agreement, error) {
	if bytes.Equal(a, b) {
		return Wholly, nil
	}
	of := func(report []byte) ([]byte, error) {
		d, err := decisions(report)
		if err != nil {
			return nil, err
		}
		d.Tool, d.Generated = Tool{}, time.Time{}
		return json.Marshal(d)
	}
	one, err := of(a)
	if err != nil {
		return Otherwise, err
	}
	other, err := of(b)
	if err != nil || !bytes.Equal(one, other) {
		return Otherwise, err
	}
	return InWords, nil
}

// Timed reports whether a report was ended by the clock: computed again, it may decide more.
func Timed(report []byte) bool {
	d, err := decisions(report)
	if err != nil {
		return false
	}
	for _, p := range d.Principals {
		for _, u := range p.Undecided {
			if u.Reason == string(reach.OverTime) {
				return true
			}
		}
	}
	return false
}

// Check holds the recorded report against the one that was computed again as of the
// recorded time, by a tool. Where that is the tool that made the bundle, any difference is
// an alteration; another may decide otherwise.
func (b *Bundle) Check(again []byte, tool Tool) (Agreement, error) {
	a, err := Agree(b.Report, again)
	if err != nil {
		return a, &FormError{Unreadable, reportFile, err.Error()}
	}
	if a != Wholly && tool == b.Manifest.Tool && !Timed(b.Report) {
		return a, &FormError{Code: NotAgain, File: reportFile}
	}
	return a, nil
}
