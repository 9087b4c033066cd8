package main

import (
	"embed"

	"buzon/scripts/words"
)

//go:embed en.json es.json
var files embed.FS

// sentences are the story's own, in English and in Spanish; the agent's are its
// own affair.
var sentences = words.Load(files)

// sayer gives the sentence with that id in the reader's language, with its
// arguments in pairs of name and value.
type sayer func(id string, args ...any) string

// speak chooses the language by LC_ALL, LC_MESSAGES and LANG, as the agent does.
func speak(getenv func(string) string) sayer {
	lang := words.Detect("", getenv)
	return func(id string, args ...any) string { return sentences.Text(lang, id, args...) }
}
