package outbox

import (
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
	if err != nil {
		return // gone, or none of ours: the next pass knows
	}
	o.closes.put(f, event{closed: !renamed, renamed: renamed})
	hint(rel)
}
