package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"golang.org/x/term"

	"buzon/agent/internal/client"
)

// told is an error that names its own sentence; the inner rooms' errors do.
type told interface {
	Message() (id string, args []any)
}

// tell writes the sentences for err to standard error: a sentence, then a hint,
// then the command to type, each on its own line; joined errors one after the
// other.
func (a *app) tell(err error) {
	bold, red, plain := "", "", ""
	if a.colorful(a.stderr) {
		bold, red, plain = "\x1b[1m", "\x1b[31m", "\x1b[0m"
	}
	for _, text := range a.sentences(err) {
		lines := strings.Split(strings.TrimRight(a.secrets.Redact(text), "\n"), "\n")
		fmt.Fprintf(a.stderr, "%sagent:%s %s\n", red, plain, lines[0])
		for _, line := range lines[1:] {
			if strings.HasPrefix(line, "  ") {
				line = bold + line + plain
			}
			fmt.Fprintln(a.stderr, line)
		}
	}
}

// sentences puts err, or each of the errors that it joins, into words.
func (a *app) sentences(err error) []string {
	if s, ok := err.(said); ok { //nolint:errorlint // a wrapped one is unwrapped below, as any other
		return []string{string(s)}
	}
	if m, ok := err.(told); ok {
		id, args := m.Message()
		return []string{a.words.Text(id, args...)}
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []string
		for _, e := range joined.Unwrap() {
			all = append(all, a.sentences(e)...)
		}
		return all
	}
	if inner := errors.Unwrap(err); inner != nil {
		var m told
		var j interface{ Unwrap() []error }
		if errors.As(inner, &m) || errors.As(inner, &j) {
			return a.sentences(inner)
		}
	}
	return []string{a.explain(err)}
}

// note writes a sentence to standard error that is no error.
func (a *app) note(id string, args ...any) {
	a.tell(sentence(id, args...))
}

// explain is the sentence for an error of the system, or of where credentials come from.
func (a *app) explain(err error) string {
	var pe *fs.PathError
	var ce *client.CredentialsError
	if errors.As(err, &ce) {
		args := []any{}
		for name, value := range ce.Args() {
			args = append(args, name, value)
		}
		for _, name := range []string{"path", "profile", "kind", "line", "mode", "variable", "missing", "code", "places", "timeout"} {
			args = append(args, name, "–") // the first of a name wins
		}
		return a.words.Text("credentials."+string(ce.Problem), args...)
	}
	switch {
	case errors.As(err, &pe) && errors.Is(err, fs.ErrNotExist):
		return a.words.Text("cli.path-missing", "path", pe.Path)
	case errors.As(err, &pe) && errors.Is(err, fs.ErrPermission):
		return a.words.Text("cli.path-denied", "path", pe.Path)
	case errors.As(err, &pe) && errors.Is(err, syscall.ENOSPC):
		return a.words.Text("cli.disk-full", "path", pe.Path)
	case errors.As(err, &pe):
		return a.words.Text("cli.path-error", "path", pe.Path, "reason", pe.Err)
	}
	return a.words.Text("cli.unexpected", "reason", err)
}

// colorful reports whether to write colour to w.
func (a *app) colorful(w io.Writer) bool {
	switch a.flags.color {
	case "always":
		return true
	case "never":
		return false
	}
	return a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb" && terminal(w)
}

// terminal reports whether w is one.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
