package cli

import (
	"os"
	"os/user"
	"strconv"
)

// myself is the name of the user of this process.
func myself() string { return userName(os.Geteuid()) }

func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil && u.Username != "" {
		return u.Username
	}
	return "#" + id // as sudo takes it
}
