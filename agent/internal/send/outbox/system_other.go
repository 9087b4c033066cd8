//go:build !linux

package outbox

import "os"

func systemFiles(*os.File) fileSystem { return ofFiles }
