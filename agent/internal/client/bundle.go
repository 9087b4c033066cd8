package client

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// bundle holds the file of certificates that the environment or the profile names to what the SDK makes of it, which
// says of every fault that the profile is wrong.
func bundle(profile string, settings *sharedFile) error {
	e := &CredentialsError{Problem: BadBundle, Variable: "AWS_CA_BUNDLE", File: os.Getenv("AWS_CA_BUNDLE")}
	if e.File == "" {
		e.Variable, e.File = "ca_bundle", settings.profiles[profile]["ca_bundle"]
		e.Places = settings.path
	}
	if e.File == "" {
		return nil
	}
	data, _, err := readRegular(e.File)
	switch {
	case errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(e.File, "~"):
		e.Code = "tilde"
	case errors.Is(err, fs.ErrNotExist):
		e.Code = "missing"
	case errors.Is(err, syscall.EISDIR):
		e.Code = "folder"
	case errors.Is(err, errNotRegular), errors.Is(err, errTooLarge):
		e.Code = "kind"
	case err != nil:
		e.Code, e.cause = "unreadable", err
	case len(bytes.TrimSpace(data)) == 0:
		e.Code = "empty"
	case !x509.NewCertPool().AppendCertsFromPEM(data):
		e.Code = "certificate"
	default:
		return nil
	}
	return e
}
