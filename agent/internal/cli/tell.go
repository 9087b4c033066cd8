package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/term"

	"buzon/agent/internal/client"
	"buzon/agent/internal/config"
	"buzon/agent/internal/locale"
	"buzon/agent/internal/report"
)

// told is an error that names its own sentence; the inner rooms' errors do.
type told interface {
	Message() (id string, args []any)
}

// tell writes the sentences for err to standard error: a sentence, then a hint,
// then the command to type, each on its own line; joined errors one after the
// other, and the faults of a configuration together. With --log-format json each is a line of the log.
func (a *app) tell(err error) { a.put(slog.LevelError, "", err) }

// put is tell for an error, or for a note, with the outcome that it stands for.
func (a *app) put(level slog.Level, outcome string, err error) {
	texts := a.sentences(err)
	if a.flags.logFormat == "json" {
		for _, text := range texts {
			a.jsonLine(level, outcome, a.secrets.Redact(text))
		}
		return
	}
	bold, red, plain := "", "", ""
	if a.colorful(a.stderr) {
		bold, red, plain = "\x1b[1m", "\x1b[31m", "\x1b[0m"
	}
	var faults config.Errors
	together := errors.As(err, &faults) && len(faults) == len(texts) && len(texts) > 1
	for i, text := range texts {
		if most := 50; together && i == most {
			fmt.Fprintln(a.stderr, a.words.Text("config.more", "n", len(texts)-most))
			break
		}
		text = strings.TrimRight(a.secrets.Redact(text), "\n")
		if i == 0 || !together {
			text = "agent: " + text
		}
		lines := strings.Split(locale.Fit(text, a.proseWidth(a.stderr)), "\n")
		if rest, ok := strings.CutPrefix(lines[0], "agent:"); ok {
			lines[0] = red + "agent:" + plain + rest
		}
		for _, line := range lines {
			if strings.HasPrefix(line, "  ") {
				line = bold + line + plain
			}
			fmt.Fprintln(a.stderr, line)
		}
	}
	if together {
		fmt.Fprintln(a.stderr, a.words.Text("config.count", "n", len(faults)))
	}
}

// jsonLine writes a sentence, its hint and the command to type as one line of the log.
func (a *app) jsonLine(level slog.Level, outcome, text string) {
	log := slog.New(slog.NewJSONHandler(a.stderr, &slog.HandlerOptions{ReplaceAttr: plainValues}))
	var said, commands []string
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		if command, ok := strings.CutPrefix(line, "  "); ok {
			commands = append(commands, command)
		} else {
			said = append(said, line)
		}
	}
	attrs := []slog.Attr{}
	if outcome != "" {
		attrs = append(attrs, slog.String("outcome", outcome))
	}
	if len(said) > 1 {
		attrs = append(attrs, slog.String("hint", strings.Join(said[1:], " ")))
	}
	if len(commands) > 0 {
		attrs = append(attrs, slog.String("command", strings.Join(commands, "\n")))
	}
	log.LogAttrs(context.Background(), level, said[0], attrs...) //nolint:sloglint // the sentence is the message
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
func (a *app) note(id string, args ...any) { a.put(slog.LevelInfo, "", sentence(id, args...)) }

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
			args = append(args, name, a.words.Signs("–")) // the first of a name wins
		}
		return a.words.Text("credentials."+string(ce.Problem), args...)
	}
	switch {
	case errors.As(err, &pe) && errors.Is(err, fs.ErrNotExist):
		if dir := filepath.Dir(pe.Path); !exists(dir) {
			return a.words.Text("cli.folder-missing", "path", pe.Path, "folder", dir)
		}
		return a.words.Text("cli.path-missing", "path", pe.Path)
	case errors.As(err, &pe) && errors.Is(err, fs.ErrPermission):
		if dir := filepath.Dir(pe.Path); !exists(pe.Path) { // the folder says so
			return a.words.Text("cli.path-denied", "path", nearest(dir))
		}
		return a.words.Text("cli.path-denied", "path", pe.Path)
	case errors.Is(err, context.Canceled):
		return a.words.Text("cli.interrupted")
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

// exists reports whether something can be seen at a path.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// nearest is the deepest part of a path that can be seen.
func nearest(path string) string {
	for !exists(path) && path != filepath.Dir(path) {
		path = filepath.Dir(path)
	}
	return path
}

// report writes a sentence with its hints to standard output.
func (a *app) report(text string) {
	fmt.Fprintln(a.stdout, locale.Fit(text, a.width(a.stdout)))
}

// screen is what a report to w is shown on.
func (a *app) screen(w io.Writer) report.Screen {
	return report.Screen{Color: a.colorful(w), Width: a.width(w), ASCII: a.plainMarks(w)}
}

// width is how many columns w has: COLUMNS, else what its terminal says, else 80.
func (a *app) width(w io.Writer) int {
	if n, err := strconv.Atoi(a.getenv("COLUMNS")); err == nil && n > 0 {
		return max(n, 20)
	}
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return max(n, 20)
		}
	}
	return locale.DefaultWidth
}

// proseWidth is width for errors: what nobody looks at on a screen is not broken, so that it can be
// searched.
func (a *app) proseWidth(w io.Writer) int {
	if a.getenv("COLUMNS") == "" && !terminal(w) {
		return 0
	}
	return a.width(w)
}

// plainMarks says that the character set of the locale has no signs: LC_ALL or LC_CTYPE is C, or
// LANG is on a terminal.
func (a *app) plainMarks(w io.Writer) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := a.getenv(name); v != "" {
			return (v == "C" || v == "POSIX") && (name != "LANG" || terminal(w))
		}
	}
	return false
}

// terminal reports whether w is one.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
