package main

import (
	"embed"
	"fmt"
	"strings"

	"buzon/scripts/words"
)

//go:embed en.json es.json
var files embed.FS

// sentences are everything that the program says, in English and in Spanish.
var sentences = words.Load(files)

// speak chooses the language. The flag --lang is looked for before the others are
// read, for their help is in that language too.
func speak(args []string, getenv func(string) string) string {
	flag := ""
	for i, arg := range args {
		name, value, given := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if name != "-lang" && name != "lang" || !strings.HasPrefix(arg, "-") {
			continue
		}
		if !given && i+1 < len(args) {
			value = args[i+1]
		}
		flag = value
	}
	return words.Detect(flag, getenv)
}

// text is the sentence of that id in the reader's language, with its arguments in
// pairs of name and value.
func (k *keys) text(id string, args ...any) string { return sentences.Text(k.lang, id, args...) }

// say tells people something.
func (k *keys) say(id string, args ...any) { fmt.Fprintln(k.log, k.text(id, args...)) }

// fault is an error in the reader's language; it wraps the first error among its
// arguments.
func (k *keys) fault(id string, args ...any) error {
	var cause error
	for i, arg := range args {
		if err, ok := arg.(error); ok {
			if cause == nil {
				cause = err
			}
			args[i] = plain(err)
		}
	}
	return told{k.text(id, args...), cause}
}

// misuse is a fault of how the program was called.
func (k *keys) misuse(id string, args ...any) error { return usageError{k.text(id, args...)} }
