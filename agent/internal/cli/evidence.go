package cli

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/judge/catalogue"
	"buzon/agent/internal/judge/evidence"
	"buzon/agent/internal/judge/sources"
	"buzon/agent/internal/locale"
	"buzon/agent/internal/report"
)

// evidenceOptions are the flags of audit-policy that make and verify evidence.
type evidenceOptions struct {
	file, previous, key             string // made
	verify, signature, signer, hash string // verified
}

func (e *evidenceOptions) flags(f *pflag.FlagSet, words *locale.Printer) {
	f.StringVar(&e.file, "evidence", "", words.Text("audit.flag-evidence"))
	f.StringVar(&e.previous, "previous", "", words.Text("audit.flag-previous"))
	f.StringVar(&e.key, "sign", "", words.Text("audit.flag-sign"))
	f.StringVar(&e.verify, "verify", "", words.Text("audit.flag-verify"))
	f.StringVar(&e.signature, "signature", "", words.Text("audit.flag-signature"))
	f.StringVar(&e.signer, "signer", "", words.Text("audit.flag-signer"))
	f.StringVar(&e.hash, "sha256", "", words.Text("audit.flag-sha256"))
}

// besideVerify are the flags that mean something beside --verify; the bundle holds the rest.
var besideVerify = []string{
	"verify", "signature", "signer", "sha256", "previous", "format", "output", "verbose", "lang", "log-level", "log-format", "color",
}

// check refuses what can't go together. used are the flags that were typed.
func (e *evidenceOptions) check(used *pflag.FlagSet) error {
	var err error
	needs := func(flag, value string, others ...string) {
		if value != "" && !slices.ContainsFunc(others, func(o string) bool { return used.Changed(o) }) && err == nil {
			err = usage("audit.flag-needs", "flag", "--"+flag, "other", "--"+others[0])
		}
	}
	needs("sign", e.key, "evidence")
	needs("previous", e.previous, "evidence", "verify")
	needs("signature", e.signature, "signer")
	needs("signer", e.signer, "signature")
	needs("signature", e.signature, "verify")
	needs("sha256", e.hash, "verify")
	if err != nil {
		return err
	}
	if sum, bad := hex.DecodeString(e.hash); e.hash != "" && (bad != nil || len(sum) != 32) {
		return usage("cli.bad-flag", "flag", "--sha256", "got", e.hash)
	}
	if e.verify == "" {
		return nil
	}
	used.Visit(func(f *pflag.Flag) {
		if !slices.Contains(besideVerify, f.Name) && err == nil {
			err = usage("audit.not-with-verify", "flag", "--"+f.Name)
		}
	})
	return err
}

// readEvidence reads a file of evidence, no more of it than there can be.
func (a *app) readEvidence(name string) ([]byte, error) {
	var in io.Reader = a.stdin
	if name != "-" {
		f, err := os.Open(name) //nolint:gosec // the operator names it
		if err != nil {
			return nil, fail(badInput, err)
		}
		defer f.Close() //nolint:errcheck // it is only read
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, evidence.MaxBundle+1))
	if err != nil {
		return nil, fail(badInput, fmt.Errorf("read %s: %w", name, err))
	}
	return text, nil
}

// plainWords are the sentences of a report in evidence: of a language, and of nothing that
// was typed.
func plainWords(lang string) *locale.Printer {
	return locale.Load(lang).With("with_config", locale.Raw(""), "with_state", locale.Raw(""), "with_all", locale.Raw(""))
}

func auditJSON(lang string, result *audit.Report) ([]byte, error) {
	var b bytes.Buffer
	err := report.AuditJSON(&b, plainWords(lang), result)
	return b.Bytes(), err
}

// make files an audit. It is read back and decided again before it counts.
func (e *evidenceOptions) make(ctx context.Context, a *app, result *audit.Report, found *sources.Found, opts audit.Options) error {
	if _, err := os.Lstat(e.file); !errors.Is(err, fs.ErrNotExist) {
		return usage("audit.evidence-exists", "file", e.file)
	}
	previous := ""
	if e.previous != "" {
		text, err := a.readEvidence(e.previous)
		if err != nil {
			return err
		}
		if _, err := evidence.Read(text); err != nil {
			return fail(badInput, err)
		}
		previous = evidence.Digest(text)
	}
	recorded, err := auditJSON(a.words.Lang(), result)
	if err != nil {
		return err
	}
	text, err := e.bundle(ctx, evidence.New(found, opts, result, recorded, a.words.Lang(), previous), concealing(found.Secrets))
	if err != nil {
		return err
	}
	var signature []byte
	if e.key != "" {
		if signature, err = e.sign(a, text); err != nil {
			return err
		}
	}
	if err := writeNew(e.file, text); err != nil {
		return fail(badInput, err)
	}
	if signature != nil {
		if err := writeNew(e.file+".sig", signature); err != nil {
			return fail(badInput, err)
		}
	}
	fmt.Fprintln(a.stderr, a.words.Text("audit.evidence-written", "file", e.file, "sha256", evidence.Digest(text)))
	if signature != nil {
		fmt.Fprintln(a.stderr, a.words.Text("audit.evidence-signed", "file", e.file+".sig"))
	}
	return nil
}

// bundle gives the bytes of a bundle without secrets, of which it was made sure that they
// give the same report again.
func (e *evidenceOptions) bundle(ctx context.Context, b *evidence.Bundle, hide func(string) string) ([]byte, error) {
	var out bytes.Buffer
	if err := evidence.Write(&out, b); err != nil {
		return nil, err
	}
	again, err := evidence.Read(out.Bytes())
	if err != nil {
		return nil, err
	}
	evidence.Conceal(again.Found, hide)
	recorded := []byte(hide(string(b.Report)))
	again.Report, again.Manifest.Command = recorded, hideAll(again.Manifest.Command, hide)
	computed, err := auditJSON(b.Manifest.Language, again.Judge(ctx, b.Manifest.Generated, b.Manifest.Tool.Version))
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, fail(undecided, sentence("audit.interrupted"))
	}
	if _, err := again.Check(computed, b.Manifest.Tool); err != nil {
		return nil, fail(badInput, sentence("audit.evidence-not-again"))
	}
	out.Reset()
	if err := evidence.Write(&out, again); err != nil {
		return nil, err
	}
	_, err = evidence.Read(out.Bytes())
	return out.Bytes(), err
}

func hideAll(texts []string, hide func(string) string) []string {
	out := make([]string, len(texts))
	for i, s := range texts {
		out[i] = hide(s)
	}
	return out
}

// sign signs the evidence; a passphrase is asked for on a terminal.
func (e *evidenceOptions) sign(a *app, text []byte) ([]byte, error) {
	key, err := os.ReadFile(e.key)
	if err != nil {
		return nil, fail(badInput, err)
	}
	signature, err := evidence.Sign(text, key, nil)
	var fault *evidence.KeyError
	if stdin, ok := a.stdin.(*os.File); errors.As(err, &fault) && fault.Code == evidence.KeyLocked && ok && term.IsTerminal(int(stdin.Fd())) {
		fmt.Fprint(a.stderr, a.words.Text("audit.passphrase", "file", e.key))
		passphrase, asked := term.ReadPassword(int(stdin.Fd()))
		fmt.Fprintln(a.stderr)
		if asked == nil && len(passphrase) > 0 {
			signature, err = evidence.Sign(text, key, passphrase)
		}
	}
	if err != nil {
		return nil, fail(badInput, err)
	}
	return signature, nil
}

// writeNew writes a file that is not there yet, whole or not at all.
func writeNew(name string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".buzon-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it has another name by then
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return os.Link(f.Name(), name) // unlike a rename, it replaces nothing
}

// concealing gives what puts a word in place of each secret, in every form in which it may
// stand.
func concealing(secrets []string) func(string) string {
	var pairs []string
	for _, s := range secrets {
		for _, form := range report.Spellings(s) {
			pairs = append(pairs, form, report.Hidden)
		}
	}
	return strings.NewReplacer(pairs...).Replace
}

// runVerify computes again what was filed.
func runVerify(ctx context.Context, a *app, o *auditOptions) error {
	e := &o.evidence
	text, err := a.readEvidence(e.verify)
	if err != nil {
		return err
	}
	v := &report.Verification{File: e.verify, SHA256: evidence.Digest(text), Origin: report.OriginOpen}
	if err := e.origin(text, v); err != nil {
		return err
	}
	b, err := evidence.Read(text)
	if err != nil {
		return fail(badInput, err)
	}
	if err := e.follows(a, b, v); err != nil {
		return err
	}
	v.Recorded = report.Recorded{Generated: b.Manifest.Generated, Verdict: b.Manifest.Verdict, Tool: audit.Tool(b.Manifest.Tool)}
	v.Then = b.Judge(ctx, b.Manifest.Generated, Version())
	v.Now = b.Judge(ctx, time.Now(), Version())
	if ctx.Err() != nil {
		return fail(undecided, sentence("audit.interrupted"))
	}
	computed, err := auditJSON(b.Manifest.Language, v.Then)
	if err != nil {
		return err
	}
	agrees, err := b.Check(computed, evidence.Tool{Version: Version(), Catalogue: catalogue.Version()})
	if err != nil {
		return fail(badInput, err)
	}
	v.Same, v.Timed = agrees != evidence.Otherwise, evidence.Timed(b.Report)
	if err := o.output(a, v.Then, nil, func(w io.Writer, s screen) error { return o.printVerified(a, w, v, b.Found, s) }); err != nil {
		return err
	}
	return exit(worst(codeOfAudit(v.Then, b.Manifest.Options.Strict), codeOfAudit(v.Now, b.Manifest.Options.Strict)))
}

// origin holds the file to the hash and the signature that were given.
func (e *evidenceOptions) origin(text []byte, v *report.Verification) error {
	if e.hash != "" {
		if !strings.EqualFold(e.hash, v.SHA256) {
			return usage("evidence.other-hash", "file", e.verify, "want", strings.ToLower(e.hash), "got", v.SHA256)
		}
		v.Origin = report.OriginHash
	}
	if e.signature == "" {
		return nil
	}
	signature, err := os.ReadFile(e.signature)
	if err != nil {
		return fail(badInput, err)
	}
	signer, err := os.ReadFile(e.signer)
	if err != nil {
		return fail(badInput, err)
	}
	if v.Signer, err = evidence.Signed(text, signature, signer); err != nil {
		return fail(badInput, err)
	}
	v.Origin = report.OriginSigned
	return nil
}

// follows holds the bundle to the one that it says is before it.
func (e *evidenceOptions) follows(a *app, b *evidence.Bundle, v *report.Verification) error {
	v.Previous = b.Manifest.Previous
	if e.previous == "" {
		return nil
	}
	text, err := a.readEvidence(e.previous)
	if err != nil {
		return err
	}
	if got := evidence.Digest(text); got != v.Previous {
		return usage("evidence.other-previous", "file", e.previous, "want", v.Previous, "got", got)
	}
	v.Followed = true
	return nil
}

func (o *auditOptions) printVerified(a *app, w io.Writer, v *report.Verification, found *sources.Found, s screen) error {
	switch o.format {
	case "json":
		return report.VerificationJSON(w, a.words, v)
	case "text":
		return report.VerificationText(w, a.words, v, report.AuditOptions{Color: s.color, Width: s.width, Verbose: o.verbose})
	}
	fmt.Fprintln(a.stderr, a.words.Text("report.evidence-"+string(v.Origin), "signer", v.Signer))
	return o.print(a, w, v.Then, found, s)
}
