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
	info     fs.FileInfo
	profiles map[string]map[string]string
	lines    map[string]map[string]int // where each key stands
	data     []byte
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
	f := &sharedFile{path: path, profiles: map[string]map[string]string{}, lines: map[string]map[string]int{}}
	if path == "" {
		return f, nil
	}
	data, info, err := readRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, unreadable(path, err)
	}
	f.exists, f.info, f.data = true, info, data
	parsed, broken := parseShared(data)
	if broken != nil {
		return nil, &CredentialsError{Problem: BrokenFile, File: path, Line: broken.line, Code: broken.code}
	}
	for name, section := range parsed {
		if prefixed {
			bare, ok := strings.CutPrefix(name, "profile ")
			if !ok && name != "default" {
				continue
			}
			name = strings.TrimSpace(bare)
		}
		f.profiles[name], f.lines[name] = section.values, section.lines
	}
	return f, nil
}

// section is what stands below one [name].
type section struct {
	values map[string]string
	lines  map[string]int
}

// brokenLine is the first line that can't be understood, and in which way:
// "mark" for a byte-order mark, "utf-16", "indented" for a key that is, "shell"
// for a line of a shell; "odd" for anything else.
type brokenLine struct {
	line int
	code string
}

// parseShared reads sections of `key = value` lines. A line that is neither of
// these, a comment, blank, nor the indented continuation of a key is broken.
// The text of a line is never given back, because it may be a secret that
// slipped.
func parseShared(data []byte) (map[string]section, *brokenLine) {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")), bytes.IndexByte(data, 0) >= 0:
		return nil, &brokenLine{1, "utf-16"}
	case bytes.HasPrefix(data, []byte("\ufeff")):
		return nil, &brokenLine{1, "mark"}
	}
	sections := map[string]section{}
	var current section
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxFile+1)
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
				return nil, &brokenLine{n, "odd"}
			}
			if sections[name].values == nil {
				sections[name] = section{map[string]string{}, map[string]int{}}
			}
			current, key = sections[name], ""
		case current.values == nil:
			return nil, &brokenLine{n, shellLine(text)}
		case line[0] == ' ' || line[0] == '\t':
			if key == "" {
				return nil, &brokenLine{n, "indented"}
			}
		default:
			k, v, ok := strings.Cut(line, "=")
			if !ok {
				k, v, ok = strings.Cut(line, ":")
			}
			key = strings.ToLower(strings.TrimSpace(k))
			if !ok || key == "" || strings.ContainsAny(key, " \t") {
				return nil, &brokenLine{n, shellLine(text)}
			}
			current.values[key], current.lines[key] = strings.TrimSpace(v), n
		}
	}
	if lines.Err() != nil {
		return nil, &brokenLine{n + 1, "odd"}
	}
	return sections, nil
}

// shellLine tells a line that was meant for a shell.
func shellLine(text string) string {
	for _, word := range []string{"export ", "set ", "setx ", "$env:", "SET "} {
		if strings.HasPrefix(text, word) {
			return "shell"
		}
	}
	return "odd"
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

// nearly finds a section that was meant to be a profile's and is not: with or
// without the word "profile" where the file wants it the other way, in other
// letters, or at the end of another line. It gives its line, and what stands
// between the brackets.
func (f *sharedFile) nearly(profile string) (line int, found string) {
	lines := bufio.NewScanner(bytes.NewReader(f.data))
	lines.Buffer(nil, maxFile+1)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		open, end := strings.LastIndexByte(text, '['), strings.HasSuffix(text, "]")
		if open < 0 || !end || text[0] == '#' || text[0] == ';' {
			continue
		}
		inside := strings.Join(strings.Fields(text[open+1:len(text)-1]), " ")
		bare := strings.TrimSpace(strings.TrimPrefix(strings.ToLower(inside), "profile "))
		if bare == strings.ToLower(profile) {
			return n, inside
		}
	}
	return 0, ""
}

// loose tells whether group or others may read or write the file. Files that
// systemd hands over (LoadCredential) are exempt: their folder is closed.
func (f *sharedFile) loose() bool {
	if !f.exists || !f.info.Mode().IsRegular() || !openToOthers(f.info) {
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
