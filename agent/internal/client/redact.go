package client

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Redacted stands where a secret stood.
const Redacted = "[redacted]"

// Secrets knows what must never be written: the secrets that it was told of,
// in every spelling that a log could hold, and the places in requests and
// files where a secret stands. It is the second line: the first is that no
// room puts a secret in a message. The zero value is ready; nil is allowed.
type Secrets struct {
	mu     sync.RWMutex
	hidden []string // longest first
}

// Hide adds secrets: raw, URL-encoded, in hex and base64, and both halves.
// Short ones (under 8 bytes) are left out; they would blank ordinary words.
func (s *Secrets) Hide(secrets ...string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range secrets {
		for _, spelling := range spellings(secret) {
			if !slices.Contains(s.hidden, spelling) {
				s.hidden = append(s.hidden, spelling)
			}
		}
	}
	slices.SortFunc(s.hidden, func(a, b string) int { return len(b) - len(a) })
}

func spellings(secret string) []string {
	if len(secret) < 8 {
		return nil
	}
	raw := []string{secret}
	if len(secret) >= 16 {
		raw = append(raw, secret[:len(secret)/2], secret[len(secret)/2:])
	}
	var all []string
	for _, r := range raw {
		b := []byte(r)
		all = append(all, r, url.QueryEscape(r), url.PathEscape(r),
			strings.TrimRight(base64.StdEncoding.EncodeToString(b), "="),
			strings.TrimRight(base64.URLEncoding.EncodeToString(b), "="),
			hex.EncodeToString(b))
	}
	return all
}

// The places where a secret stands even if nobody told of it.
var places = regexp.MustCompile(`(?i)` +
	`(authorization["']?\s*[:=]\s*["']?(?:aws4-hmac-sha256|bearer|basic)\s+)[^"'\r\n]+` +
	`|((?:x-amz-(?:signature|credential|security-token)|aws_?secret_?(?:access_?)?key|secret_?access_?key|(?:aws_?)?session_?token|x-amz-server-side-encryption-customer-key)["']?\s*(?:[:=]|%3d)\s*["']?)[^\s&"',;}]+`)

var keyID = regexp.MustCompile(`\b(?:AKIA|ASIA)[A-Z0-9]{8,124}\b`)

// Redact gives the text without its secrets; of a key id it leaves the last
// four characters.
func (s *Secrets) Redact(text string) string {
	if s != nil {
		s.mu.RLock()
		for _, secret := range s.hidden {
			if strings.Contains(text, secret) {
				text = strings.ReplaceAll(text, secret, Redacted)
			}
		}
		s.mu.RUnlock()
	}
	text = places.ReplaceAllString(text, "${1}${2}"+Redacted)
	return keyID.ReplaceAllStringFunc(text, func(id string) string { return "…" + lastFour(id) })
}

// mostLabel is the longest name of a request or a Region that is shown.
const mostLabel = 128

// label is a name that a server gave to something, as it may be shown and kept.
func (s *Secrets) label(name string) string {
	if name == "" {
		return ""
	}
	return cut(s.Redact(name), mostLabel)
}

// NewRedactor wraps a handler so that no record passes it with a secret in
// its message, its attributes or their groups.
func NewRedactor(inner slog.Handler, secrets *Secrets) slog.Handler {
	return &redactor{inner: inner, secrets: secrets}
}

type redactor struct {
	inner   slog.Handler
	secrets *Secrets
}

func (r *redactor) Enabled(ctx context.Context, level slog.Level) bool {
	return r.inner.Enabled(ctx, level)
}

func (r *redactor) Handle(ctx context.Context, record slog.Record) error {
	clean := slog.NewRecord(record.Time, record.Level, r.secrets.Redact(record.Message), record.PC)
	record.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(r.attr(a))
		return true
	})
	return r.inner.Handle(ctx, clean)
}

func (r *redactor) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = r.attr(a)
	}
	return &redactor{inner: r.inner.WithAttrs(clean), secrets: r.secrets}
}

func (r *redactor) WithGroup(name string) slog.Handler {
	return &redactor{inner: r.inner.WithGroup(name), secrets: r.secrets}
}

// attr keeps numbers, times and flags as they are; everything else becomes
// the text that would have been printed, redacted.
func (r *redactor) attr(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindBool, slog.KindDuration, slog.KindFloat64, slog.KindInt64, slog.KindTime, slog.KindUint64:
		return slog.Attr{Key: a.Key, Value: v}
	case slog.KindGroup:
		group := v.Group()
		clean := make([]slog.Attr, len(group))
		for i, g := range group {
			clean[i] = r.attr(g)
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(clean...)}
	case slog.KindString:
		return slog.String(a.Key, r.secrets.Redact(v.String()))
	case slog.KindAny, slog.KindLogValuer:
	}
	return slog.String(a.Key, r.secrets.Redact(fmt.Sprintf("%+v", v.Any())))
}
