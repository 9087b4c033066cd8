package evidence

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"
)

const (
	manifestFile = "manifest.json"
	judgedFile   = "judged.json"
	reportFile   = "audit-report.json"
)

// The most that Read takes; a bundle of 1,000 principals is far below each.
const (
	MaxBundle = 128 << 20 // of the file
	maxWhole  = 512 << 20 // of all that is in it
	maxOne    = 256 << 20 // of one file in it
	maxFiles  = 200_000
)

var documentPath = regexp.MustCompile(`^documents/[0-9]{6}\.json$`)

// FormError is a bundle that Write didn't write: altered, or of another form.
type FormError struct {
	Code   Fault
	File   string // in the bundle, "" for all of it
	Reason string // of whoever read it
}

// Fault is what is wrong with a bundle.
type Fault string

// The faults of bundles.
const (
	TooLarge   Fault = "too-large"
	NoArchive  Fault = "no-archive"   // no gzipped tar
	NoFile     Fault = "no-file"      // a link, a folder, a device
	OtherName  Fault = "other-name"   // no bundle has a file of that name
	Twice      Fault = "twice"        // a name that is there twice
	Trailing   Fault = "trailing"     // something follows
	Missing    Fault = "missing"      // a file without which it is none
	Unreadable Fault = "unreadable"   // not the JSON that this version writes
	Another    Fault = "another-form" // of another schema
	Unlisted   Fault = "unlisted"     // the manifest lists other files, or other documents
	Differs    Fault = "differs"      // a file isn't what the manifest lists
	NotJudged  Fault = "not-judged"   // a document isn't what was judged
	NotAgain   Fault = "not-again"    // the same program comes to another report
)

// Faults lists them.
func Faults() []Fault {
	return []Fault{
		TooLarge, NoArchive, NoFile, OtherName, Twice, Trailing, Missing, Unreadable, Another, Unlisted, Differs, NotJudged, NotAgain,
	}
}

func (e *FormError) Error() string {
	return "evidence: " + e.File + ": " + string(e.Code) + " " + e.Reason
}

// Message names the sentence of the error.
func (e *FormError) Message() (string, []any) {
	return "evidence.fault-" + string(e.Code), []any{"file", e.File, "reason", e.Reason}
}

// Write writes a bundle. The same bundle is the same bytes.
func Write(w io.Writer, b *Bundle) error {
	p, err := pack(b.Found)
	if err != nil {
		return err
	}
	if p.files[judgedFile], err = encode(&p.judged); err != nil {
		return err
	}
	p.files[reportFile] = b.Report
	m := b.Manifest
	m.Documents, m.Files = list(p.listed), []File{}
	order := sortedKeys(p.files)
	for _, path := range order {
		m.Files = append(m.Files, File{path, Digest(p.files[path]), len(p.files[path])})
	}
	if p.files[manifestFile], err = encode(&m); err != nil {
		return err
	}
	zip := gzip.NewWriter(w)
	archive := tar.NewWriter(zip)
	for _, path := range append([]string{manifestFile}, order...) {
		if err := add(archive, path, p.files[path], m.Generated); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	return errors.Join(archive.Close(), zip.Close())
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(v)
	return b.Bytes(), err
}

func add(archive *tar.Writer, path string, text []byte, at time.Time) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: path, Size: int64(len(text)), Mode: 0o644, ModTime: at, Format: tar.FormatUSTAR}
	if err := archive.WriteHeader(h); err != nil {
		return err
	}
	_, err := archive.Write(text)
	return err
}

// Read reads a bundle, and holds every file in it to the manifest.
func Read(file []byte) (*Bundle, error) {
	files, err := unzip(file)
	if err != nil {
		return nil, err
	}
	b := &Bundle{Report: files[reportFile]}
	text, there := files[manifestFile]
	if !there {
		return nil, &FormError{Code: Missing, File: manifestFile}
	}
	if err := decode(text, &b.Manifest); err != nil {
		return nil, &FormError{Unreadable, manifestFile, err.Error()}
	}
	m := &b.Manifest
	switch {
	case m.Schema != Schema:
		return nil, &FormError{Another, manifestFile, m.Schema}
	case !m.Options.Budget.fit():
		return nil, &FormError{Unreadable, manifestFile, "options.budget"}
	case len(m.Files) != len(files)-1:
		return nil, &FormError{Code: Unlisted, File: manifestFile}
	}
	for _, f := range m.Files {
		text, there := files[f.Path]
		if !there || len(text) != f.Bytes || Digest(text) != f.SHA256 {
			return nil, &FormError{Code: Differs, File: f.Path}
		}
	}
	if b.Found, err = unpack(files[judgedFile], files, m.Documents); err != nil {
		return nil, err
	}
	b.Found.Caller, b.Found.Requests = m.Caller, m.Requests
	recorded, err := decisions(b.Report)
	switch {
	case err != nil:
		return nil, &FormError{Unreadable, reportFile, err.Error()}
	case recorded.Verdict != m.Verdict || recorded.Tool != m.Tool || !recorded.Generated.Equal(m.Generated):
		return nil, &FormError{Code: Differs, File: reportFile}
	}
	return b, nil
}

// unzip gives the files of an archive that holds nothing but what a bundle may hold.
func unzip(file []byte) (map[string][]byte, error) {
	fault := func(code Fault, name string) error { return &FormError{Code: code, File: name} }
	if len(file) > MaxBundle {
		return nil, fault(TooLarge, "")
	}
	rest := bytes.NewReader(file)
	zip, err := gzip.NewReader(rest)
	if err != nil {
		return nil, &FormError{Code: NoArchive, Reason: err.Error()}
	}
	zip.Multistream(false)
	within := &io.LimitedReader{R: zip, N: maxWhole}
	archive := tar.NewReader(within)
	out := map[string][]byte{}
	for {
		h, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return out, ended(within, rest)
		case err != nil:
			return nil, &FormError{Code: NoArchive, Reason: err.Error()}
		case h.Typeflag != tar.TypeReg:
			return nil, fault(NoFile, h.Name)
		case h.Name != manifestFile && h.Name != judgedFile && h.Name != reportFile && !documentPath.MatchString(h.Name):
			return nil, fault(OtherName, h.Name)
		case out[h.Name] != nil:
			return nil, fault(Twice, h.Name)
		case h.Size > maxOne || len(out) >= maxFiles:
			return nil, fault(TooLarge, h.Name)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			return nil, &FormError{NoArchive, h.Name, err.Error()}
		}
		out[h.Name] = append([]byte{}, text...) // never nil
	}
}

// ended makes sure that nothing follows.
func ended(within *io.LimitedReader, rest *bytes.Reader) error {
	if _, err := io.Copy(io.Discard, within); err != nil {
		return &FormError{Code: NoArchive, Reason: err.Error()}
	}
	if within.N <= 0 {
		return &FormError{Code: TooLarge}
	}
	if rest.Len() > 0 {
		return &FormError{Code: Trailing}
	}
	return nil
}
