// Command try plays Buzón's whole path on a local AWS: deploy, check, upload,
// audit, and the README of old that it exists to mend. scripts/try calls it.
//
// Every step runs what its heading shows, through the real CDK, the real scripts
// and the real agent; what it says of the outcome is computed from what they
// answered. It ends with 0 only if each expectation of the story was met, with 1
// if one was not, with 2 if it could not begin, and with 130 after Ctrl-C. What
// it starts it stops, however it ends, unless --keep was given.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/term"
)

const (
	exitUnmet       = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// mostBytes is the largest folder that is sent: the local AWS keeps objects in
// memory.
const mostBytes = 512 << 20

func main() {
	// A reader that goes away (| head) ends it like Ctrl-C: in good order.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	words := speak(os.Getenv)
	flags := flag.NewFlagSet("scripts/try", flag.ContinueOnError)
	flags.SetOutput(errs)
	keep := flags.Bool("keep", false, words("flag-keep"))
	flags.Usage = func() { fmt.Fprintln(errs, words("usage")) }
	var named []string
	for rest := args; len(rest) > 0; {
		if err := flags.Parse(rest); errors.Is(err, flag.ErrHelp) {
			return 0
		} else if err != nil {
			return exitUsage
		}
		if rest = flags.Args(); len(rest) > 0 {
			named, rest = append(named, rest[0]), rest[1:]
		}
	}
	if len(named) > 1 {
		fmt.Fprintln(errs, words("one-folder"))
		return exitUsage
	}
	root := os.Getenv("BUZON_ROOT")
	folder := folder{shown: "docs", path: filepath.Join(root, "docs")}
	if len(named) == 1 {
		folder.shown, folder.path = named[0], named[0]
	}
	if err := folder.read(words); err != nil {
		fmt.Fprintln(errs, "scripts/try:", err)
		return exitUsage
	}
	dir, err := os.MkdirTemp("", "buzon-try-")
	if err != nil {
		fmt.Fprintln(errs, "scripts/try:", err)
		return exitUsage
	}
	s := &story{
		words: words, out: out, root: root, dir: dir, folder: folder, keep: *keep,
		color: colorful(out), began: time.Now(),
	}
	err = s.play(ctx)
	s.end(ctx, err)
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case err != nil || s.unmet > 0:
		return exitUnmet
	}
	return 0
}

// folder is what is sent.
type folder struct {
	shown string // as it was typed
	path  string // absolute
	files map[string]int64
	bytes int64
}

// read finds the regular files in the folder.
func (f *folder) read(words sayer) error {
	abs, err := filepath.Abs(f.path)
	if err != nil {
		return err
	}
	f.path, f.files = abs, map[string]int64{}
	if info, err := os.Stat(abs); err != nil || !info.IsDir() {
		return errors.New(words("no-folder", "folder", f.shown))
	}
	err = filepath.WalkDir(abs, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(abs, path)
		f.files[filepath.ToSlash(rel)] = info.Size()
		f.bytes += info.Size()
		return err
	})
	switch {
	case err != nil:
		return err
	case len(f.files) == 0:
		return errors.New(words("empty-folder", "folder", f.shown))
	case f.bytes > mostBytes:
		return errors.New(words("large-folder", "folder", f.shown, "n", f.bytes>>20, "most", mostBytes>>20))
	}
	return nil
}

// colorful says whether out is a terminal that wants colour.
func colorful(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}
