//go:build !linux

package config

import (
	"os"
	"time"
)

func awaitWriter(*os.File, time.Time) error { return nil }

func mountRoot(string) bool { return false }
