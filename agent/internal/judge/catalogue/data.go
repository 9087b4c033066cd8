package catalogue

import (
	"bytes"
	"compress/gzip"
	_ "embed" // the data
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"
	"sync"
)

//go:embed actions.txt.gz
var packed []byte

//go:embed s3.json
var judged []byte

// table is the unpacked data; its services are read one by one.
type table struct {
	version  string
	names    []string
	services map[string]*service
}

type service struct {
	name string
	text string // the lines of the service, until they are read
	once sync.Once

	actions []Action
	lower   []string // names without prefix, lower case, as in actions
	byName  map[string]int
	keys    map[string]string // condition key → type
}

// load unpacks the data once. The data is part of the program, so a fault in it
// is a fault of the build and panics; a test reads all of it.
var load = sync.OnceValue(func() *table {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		panic(fmt.Errorf("read catalogue: %w", err))
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		panic(fmt.Errorf("read catalogue: %w", err))
	}
	head, rest, _ := strings.Cut(string(raw), "\n")
	t := &table{version: strings.TrimPrefix(head, "V "), services: map[string]*service{}}
	for _, block := range strings.Split("\n"+rest, "\nS ")[1:] {
		name, text, _ := strings.Cut(block, "\n")
		t.names = append(t.names, name)
		t.services[name] = &service{name: name, text: text}
	}
	sort.Strings(t.names)
	return t
})

// levels are the letters of access levels in the data; classes what they mean
// where nobody judged the action by hand.
var (
	levels  = map[string]string{"R": "Read", "L": "List", "W": "Write", "T": "Tagging", "P": "Permissions management"}
	classes = map[string]Class{"R": ReadMetadata, "L": List, "W": Write, "T": Write, "P": Permissions}
)

func (s *service) read() { s.once.Do(s.parse) }

func (s *service) parse() {
	var keys []string
	var types []ResourceType
	keyLists, typeLists := map[string][]string{}, map[string][]ResourceType{}
	s.byName, s.keys = map[string]int{}, map[string]string{}
	for line := range strings.Lines(s.text) {
		kind, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		field := strings.Split(rest, "\t")
		switch kind {
		case "K":
			keys = append(keys, field[0])
			s.keys[field[0]] = field[1]
		case "R":
			types = append(types, ResourceType{Name: field[0], ARN: field[1]})
		case "A":
			a := Action{Name: s.name + ":" + field[0], Service: s.name, Level: levels[field[1]], Class: classes[field[1]]}
			a.Resources = pick(typeLists, field[2], types)
			a.Keys = pick(keyLists, field[3], keys)
			s.lower = append(s.lower, strings.ToLower(field[0]))
			s.byName[strings.ToLower(field[0])] = len(s.actions)
			s.actions = append(s.actions, a)
		}
	}
	if s.name == "s3" {
		s.judge()
	}
	s.text = ""
}

// pick resolves a list of numbers; equal lists share one slice.
func pick[T any](seen map[string][]T, numbers string, from []T) []T {
	if numbers == "" {
		return nil
	}
	if list, ok := seen[numbers]; ok {
		return list
	}
	var list []T
	for n := range strings.SplitSeq(numbers, ",") {
		i, err := strconv.Atoi(n)
		if err != nil || i >= len(from) {
			panic("read catalogue: bad number " + n)
		}
		list = append(list, from[i])
	}
	seen[numbers] = list
	return list
}

// judge puts the classes of s3.json on S3's actions.
func (s *service) judge() {
	var list []struct {
		Action string  `json:"action"`
		Class  Class   `json:"class"`
		Also   []Class `json:"also"`
		Why    string  `json:"why"`
	}
	if err := json.Unmarshal(judged, &list); err != nil {
		panic(fmt.Errorf("read classes of S3's actions: %w", err))
	}
	for _, j := range list {
		i, ok := s.byName[strings.ToLower(strings.TrimPrefix(j.Action, "s3:"))]
		if !ok {
			continue // a test names these
		}
		a := &s.actions[i]
		a.Class, a.Also, a.Why = j.Class, j.Also, j.Why
	}
}
