package cli

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"

	"buzon/agent/internal/client"
)

// logLevel is the annotation with which a command names its own default level;
// without it a command logs warnings and worse.
const logLevel = "log-level"

// newLogger makes the one logger: to standard error, as text or as JSON, times in UTC; a storm of one message is cut.
func (a *app) newLogger(cmd *cobra.Command) (*slog.Logger, error) {
	name := a.flags.logLevel
	if name == "" {
		name = cmd.Annotations[logLevel]
	}
	if name == "" {
		name = "warn"
	}
	if err := choice("--log-level", name, "debug", "info", "warn", "error"); err != nil {
		return slog.New(slog.DiscardHandler), err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(strings.ToUpper(name))); err != nil {
		return slog.New(slog.DiscardHandler), err
	}
	return slog.New(client.NewRedactor(newSampler(a.logHandler(level), time.Now), a.secrets)), nil
}

// addLogFiles adds --log-files.
func (a *app) addLogFiles(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.flags.logFiles, "log-files", false, a.words.Text("cli.flag-log-files"))
}

// newFileLog makes what --log-files writes to: a line for each file, whatever the level of the log and however many.
func (a *app) newFileLog() *slog.Logger {
	return slog.New(client.NewRedactor(a.logHandler(slog.LevelInfo), a.secrets))
}

// logHandler writes lines of a level and above to standard error. For journald, which knows the time itself, each line
// begins with its priority (sd-daemon(3)) instead.
func (a *app) logHandler(level slog.Level) slog.Handler {
	if onJournal(a.stderr, a.getenv("JOURNAL_STREAM")) {
		p := &priorities{out: a.stderr}
		p.inner = a.formHandler(&p.line, level, true)
		return &forJournal{p.inner, p}
	}
	return a.formHandler(a.stderr, level, false)
}

func (a *app) formHandler(out io.Writer, level slog.Level, timeless bool) slog.Handler {
	replace := func(groups []string, at slog.Attr) slog.Attr {
		if timeless && len(groups) == 0 && at.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return plainValues(groups, at)
	}
	if a.flags.logFormat == "json" {
		return slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level, ReplaceAttr: replace})
	}
	return tint.NewTextHandler(out, &tint.Options{Level: level, TimeFormat: time.RFC3339, NoColor: !a.colorful(a.stderr), ReplaceAttr: replace})
}

// plainValues writes the times of a log in UTC, and durations as they are read.
func plainValues(_ []string, at slog.Attr) slog.Attr {
	switch at.Value.Kind() {
	case slog.KindTime:
		at.Value = slog.TimeValue(at.Value.Time().UTC())
	case slog.KindDuration:
		at.Value = slog.StringValue(at.Value.Duration().String())
	default:
	}
	return at
}

// priorities puts the priority of each line before it.
type priorities struct {
	out   io.Writer
	inner slog.Handler // writes to line

	mu   sync.Mutex
	line bytes.Buffer
}

// forJournal is a handler whose lines pass through priorities.
type forJournal struct {
	inner slog.Handler
	to    *priorities
}

func (h *forJournal) Enabled(ctx context.Context, level slog.Level) bool {
	return h.inner.Enabled(ctx, level)
}

func (h *forJournal) Handle(ctx context.Context, record slog.Record) error {
	h.to.mu.Lock()
	defer h.to.mu.Unlock()
	h.to.line.Reset()
	h.to.line.WriteString("<" + strconv.Itoa(priority(record.Level)) + ">")
	if err := h.inner.Handle(ctx, record); err != nil {
		return err
	}
	_, err := h.to.out.Write(h.to.line.Bytes())
	return err
}

func (h *forJournal) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &forJournal{h.inner.WithAttrs(attrs), h.to}
}

func (h *forJournal) WithGroup(name string) slog.Handler {
	return &forJournal{h.inner.WithGroup(name), h.to}
}

// priority is a level as syslog(3) numbers it.
func priority(level slog.Level) int {
	switch {
	case level >= slog.LevelError:
		return 3
	case level >= slog.LevelWarn:
		return 4
	case level >= slog.LevelInfo:
		return 6
	}
	return 7
}

// How many lines of one message are written within how long. What somebody asked for with --log-level debug is all
// written.
const (
	sampleMost  = 20
	sampleEvery = time.Minute
)

// sampler leaves out lines of a message that comes too often, and says how many it left out.
type sampler struct {
	inner slog.Handler
	seen  *seenLines
}

// seenLines counts the lines of each message since a time.
type seenLines struct {
	now func() time.Time

	mu    sync.Mutex
	since time.Time
	lines map[string]int
}

func newSampler(inner slog.Handler, now func() time.Time) *sampler {
	return &sampler{inner, &seenLines{now: now, lines: map[string]int{}}}
}

// Enabled is that of the handler inside.
func (s *sampler) Enabled(ctx context.Context, level slog.Level) bool {
	return s.inner.Enabled(ctx, level)
}

// Handle passes a line on, or counts it.
func (s *sampler) Handle(ctx context.Context, record slog.Record) error {
	if record.Level < slog.LevelInfo {
		return s.inner.Handle(ctx, record)
	}
	pass, left := s.seen.count(record.Message)
	for message, n := range left {
		note := slog.NewRecord(record.Time, slog.LevelWarn, "lines of one message were left out; agent status has the sum", 0)
		note.AddAttrs(slog.String("message", message), slog.Int("count", n))
		if err := s.inner.Handle(ctx, note); err != nil {
			return err
		}
	}
	if !pass {
		return nil
	}
	return s.inner.Handle(ctx, record)
}

// count says whether a line is written, and of an interval that is over what was left out.
func (l *seenLines) count(message string) (pass bool, left map[string]int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); now.Sub(l.since) >= sampleEvery {
		for message, n := range l.lines {
			if n > sampleMost {
				if left == nil {
					left = map[string]int{}
				}
				left[message] = n - sampleMost
			}
		}
		clear(l.lines)
		l.since = now
	}
	l.lines[message]++
	return l.lines[message] <= sampleMost, left
}

// WithAttrs is the sampler with attributes; the lines are counted together.
func (s *sampler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &sampler{s.inner.WithAttrs(attrs), s.seen}
}

// WithGroup is the sampler with a group.
func (s *sampler) WithGroup(name string) slog.Handler {
	return &sampler{s.inner.WithGroup(name), s.seen}
}
