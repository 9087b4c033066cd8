package client

import (
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// endpointVariables are those by which the SDK learns of addresses, here as far as they are of services that are asked.
var endpointVariables = []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL"}

// badEndpoint finds an address in the environment or in a profile that is none, or that holds a user and a password:
// addresses are shown, and kept in the journal.
func badEndpoint(profile string, settings *sharedFile) error {
	if strings.EqualFold(os.Getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), "true") {
		return nil
	}
	for _, name := range endpointVariables {
		if err := endpointFault(name, os.Getenv(name), "", 0); err != nil {
			return err
		}
	}
	return endpointFault("endpoint_url", settings.profiles[profile]["endpoint_url"], settings.path, settings.lines[profile]["endpoint_url"])
}

func endpointFault(variable, value, file string, line int) error {
	code := flawOfAddress(value)
	if value == "" || code == "" {
		return nil
	}
	return &CredentialsError{Problem: BadEndpoint, Variable: variable, File: file, Line: line, Code: code}
}

// flawOfAddress names what is wrong with the address of a service: "user" for a user or a password in it, "scheme",
// "host"; "" if nothing is.
func flawOfAddress(value string) string {
	u, err := url.Parse(value)
	switch {
	case strings.Contains(value, "@") && (err != nil || u.User != nil || u.Host == ""):
		return "user"
	case err != nil:
		return "host"
	case u.Scheme != "http" && u.Scheme != "https":
		return "scheme"
	case !wellFormed(u):
		return "host"
	}
	return ""
}

// wellFormed tells whether an address names a host, and a port that can be one if it names any.
func wellFormed(u *url.URL) bool {
	if u.Hostname() == "" || strings.ContainsAny(u.Host, " \t") || strings.HasSuffix(u.Host, ":") {
		return false
	}
	if u.Port() == "" {
		return true
	}
	n, err := strconv.Atoi(u.Port())
	return err == nil && n > 0 && n < 1<<16
}

// userPart is what stands for a user wherever an address, or what only looks like one,
// has one.
var userPart = regexp.MustCompile(`//[^/?#]*@`)

// WithoutUser is an address as it may be shown and kept.
func WithoutUser(address string) string {
	if u, err := url.Parse(address); err == nil {
		u.User = nil
		address = u.String()
	}
	return userPart.ReplaceAllString(address, "//")
}
