package report

import (
	"encoding/json"
	"io"
	"time"

	"buzon/agent/internal/locale"
)

// checkJSON is buzon/check/v1.
type checkJSON struct {
	Schema      string          `json:"schema"`
	Generated   string          `json:"generated"`
	Tool        checkTool       `json:"tool"`
	Passed      bool            `json:"passed"`
	Depth       string          `json:"depth"`
	Target      checkTarget     `json:"target"`
	Credentials *checkSource    `json:"credentials"`
	Identity    *checkIdentity  `json:"identity"`
	Overpowered []string        `json:"overpowered"`
	Checks      []checkJSONLine `json:"checks"`
	Outboxes    []checkOutbox   `json:"outboxes"`
	Warnings    []checkWarning  `json:"warnings"` // of this host's files, beside those of the checks and outboxes
}

type checkWarning struct {
	About   string `json:"about"` // key: a template that some files can't have; files: what its group may write
	What    string `json:"what"`
	Message string `json:"message"`
}

type checkOutbox struct {
	Path    string  `json:"path"`
	How     string  `json:"how,omitempty"`
	Quiet   float64 `json:"quiet_seconds"`
	Settle  string  `json:"settle"`
	Fault   string  `json:"fault,omitempty"`
	Message string  `json:"message"`
}

type checkTool struct {
	Version string `json:"version"`
}

type checkTarget struct {
	Bucket   string `json:"bucket"`
	Prefix   string `json:"prefix"`
	Region   string `json:"region"`
	Endpoint string `json:"endpoint,omitempty"`
}

type checkSource struct {
	Kind      string `json:"kind"`
	File      string `json:"file,omitempty"`
	Profile   string `json:"profile,omitempty"`
	Key       string `json:"key"` // the last four characters of its id
	Temporary bool   `json:"temporary"`
	Expires   string `json:"expires,omitempty"`
}

type checkIdentity struct {
	Account string `json:"account"`
	ARN     string `json:"arn"`
	UserID  string `json:"user_id"`
}

type checkJSONLine struct {
	ID         string            `json:"id"`
	Status     string            `json:"status"`
	Outcome    string            `json:"outcome"`
	Asked      string            `json:"asked,omitempty"`
	Answered   string            `json:"answered,omitempty"`
	Permission string            `json:"permission,omitempty"`
	Args       map[string]string `json:"args,omitempty"`
	Message    string            `json:"message"`
}

// CheckJSON writes what is checked as buzon/check/v1. Its messages are in the
// language of the printer; all else is the same in both.
func CheckJSON(w io.Writer, p *locale.Printer, c Checked, version string) error {
	r := c.Gate
	out := checkJSON{
		Schema: "buzon/check/v1", Generated: r.Time.UTC().Format(time.RFC3339), Tool: checkTool{version},
		Passed: r.Passed, Depth: string(r.Depth),
		Target:      checkTarget{r.Bucket, r.Prefix, r.Region, r.Endpoint},
		Overpowered: r.Overpowered,
	}
	if out.Overpowered == nil {
		out.Overpowered = []string{}
	}
	if s := r.Source; s.Kind != "" {
		out.Credentials = &checkSource{Kind: string(s.Kind), File: s.File, Profile: s.Profile, Key: s.Key, Temporary: s.Temporary}
		if !s.Expires.IsZero() {
			out.Credentials.Expires = s.Expires.UTC().Format(time.RFC3339)
		}
	}
	if who := r.Identity; who != nil {
		out.Identity = &checkIdentity{who.Account, who.ARN, who.UserID}
	}
	for _, c := range r.Checks {
		out.Checks = append(out.Checks, checkJSONLine{string(c.ID), string(c.Status), string(c.Outcome), c.Asked, c.Answered, c.Permission, c.Args, sentence(p, r, c)})
	}
	out.Outboxes, out.Warnings = []checkOutbox{}, []checkWarning{}
	for _, path := range c.Loose {
		out.Warnings = append(out.Warnings, checkWarning{"files", path, p.Text("check.loose", "path", path)})
	}
	for _, key := range c.Keys {
		out.Warnings = append(out.Warnings, checkWarning{"key", key, p.Text("check.empty-part", "key", key)})
	}
	for _, o := range c.Outboxes {
		out.Outboxes = append(out.Outboxes, checkOutbox{o.Path, o.How, o.Quiet.Seconds(), o.Settle, o.Fault, o.sentence(p)})
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(out)
}
