package client

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
)

// sharedFile is one of the two files that `aws configure` writes. The SDK
// skips what it does not understand in them; here it is an error with its
// line, because a skipped line is a key that was not found.
type sharedFile struct {
	path     string
	exists   bool
	mode     fs.FileMode
	profiles map[string]map[string]string
}

// readShared reads the credentials file and the config file, in this order.
func readShared() (credentials, settings *sharedFile, err error) {
	credentials, err = readSharedFile(sharedPath("AWS_SHARED_CREDENTIALS_FILE", config.DefaultSharedCredentialsFilename()), false)
	if err != nil {
		return nil, nil, err
	}
	settings, err = readSharedFile(sharedPath("AWS_CONFIG_FILE", config.DefaultSharedConfigFilename()), true)
	return credentials, settings, err
}

func sharedPath(variable, otherwise string) string {
	if p := os.Getenv(variable); p != "" {
		return p
	}
	return otherwise
}

// readSharedFile reads one of them. prefixed is true for the config file,
// where a profile's section is called "profile NAME".
func readSharedFile(path string, prefixed bool) (*sharedFile, error) {
	f := &sharedFile{path: path, profiles: map[string]map[string]string{}}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || path == "" {
		return f, nil
	}
	if err != nil || info.IsDir() {
		return nil, &CredentialsError{Problem: UnreadableFile, File: path, cause: err}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, &CredentialsError{Problem: UnreadableFile, File: path, cause: err}
	}
	f.exists, f.mode = true, info.Mode()
	sections, line := parseShared(data)
	if line > 0 {
		return nil, &CredentialsError{Problem: BrokenFile, File: path, Line: line}
	}
	for name, values := range sections {
		if prefixed {
			bare, ok := strings.CutPrefix(name, "profile ")
			if !ok && name != "default" {
				continue
			}
			name = strings.TrimSpace(bare)
		}
		f.profiles[name] = values
	}
	return f, nil
}

// parseShared reads sections of `key = value` lines. The second result is the
// first line that is neither of these, a comment, blank, nor the indented
// continuation of a key; 0 means that all was understood. The text of a line
// is never given back, because it may be a secret that slipped.
func parseShared(data []byte) (sections map[string]map[string]string, broken int) {
	sections = map[string]map[string]string{}
	var current map[string]string
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	n, key := 0, ""
	for lines.Scan() {
		n++
		line := lines.Text()
		text := strings.TrimSpace(line)
		switch {
		case text == "" || text[0] == '#' || text[0] == ';':
		case text[0] == '[':
			name, ok := sectionName(text)
			if !ok {
				return nil, n
			}
			if sections[name] == nil {
				sections[name] = map[string]string{}
			}
			current, key = sections[name], ""
		case current == nil:
			return nil, n
		case line[0] == ' ' || line[0] == '\t':
			if key == "" {
				return nil, n
			}
		default:
			k, v, ok := strings.Cut(line, "=")
			if !ok {
				k, v, ok = strings.Cut(line, ":")
			}
			key = strings.ToLower(strings.TrimSpace(k))
			if !ok || key == "" || strings.ContainsAny(key, " \t") {
				return nil, n
			}
			current[key] = strings.TrimSpace(v)
		}
	}
	if lines.Err() != nil {
		return nil, n + 1
	}
	return sections, 0
}

func sectionName(text string) (string, bool) {
	for _, comment := range []string{" #", " ;", "\t#", "\t;", "]#", "]; "} {
		if i := strings.Index(text, comment); i >= 0 {
			if comment[0] == ']' {
				i++
			}
			text = text[:i]
		}
	}
	text = strings.TrimSpace(text)
	name, ok := strings.CutSuffix(strings.TrimPrefix(text, "["), "]")
	name = strings.Join(strings.Fields(name), " ")
	return name, ok && name != "" && !strings.ContainsAny(name, "[]")
}

// loose tells whether group or others may read or write the file. Files that
// systemd hands over (LoadCredential) are exempt: their folder is closed.
func (f *sharedFile) loose() bool {
	if !f.exists || !f.mode.IsRegular() || f.mode&0o066 == 0 {
		return false
	}
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		if rel, err := filepath.Rel(dir, f.path); err == nil && filepath.IsLocal(rel) {
			return false
		}
	}
	return true
}

// gives tells whether the profile holds anything that leads to credentials.
func gives(values map[string]string) bool {
	for _, key := range []string{
		"aws_access_key_id", "aws_secret_access_key", "credential_process", "role_arn", "source_profile", "credential_source",
		"web_identity_token_file", "sso_session", "sso_start_url", "login_session",
	} {
		if values[key] != "" {
			return true
		}
	}
	return false
}

// SharedFiles are the two files that `aws configure` writes, wherever the
// environment says they are; whether they exist is not asked.
func SharedFiles() []string {
	return []string{
		sharedPath("AWS_SHARED_CREDENTIALS_FILE", config.DefaultSharedCredentialsFilename()),
		sharedPath("AWS_CONFIG_FILE", config.DefaultSharedConfigFilename()),
	}
}
