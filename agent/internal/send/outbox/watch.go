package outbox

import (
	"errors"
	"path"
	"strings"
)

// within reports whether rel is folder or lies below it; everything lies below
// "".
func within(rel, folder string) bool {
	return folder == "" || rel == folder || strings.HasPrefix(rel, folder+"/")
}

// look follows up an event on one name: it remembers how the file looks now and
// passes the name on.
func (o *Outbox) look(rel string, renamed bool, hint func(string)) {
	if strings.HasPrefix(path.Base(rel), asidePrefix) {
		return
	}
	f, err := o.Stat(rel)
	switch {
	case err == nil:
		o.closes.put(f, event{closed: !renamed, renamed: renamed})
	case !errors.Is(err, ErrSkipped) || f.Rel == "": // f is filled in where its name alone bars it
		return // gone, or none of ours: the next pass knows
	}
	hint(rel)
}
