package catalogue

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed" // the data
	"encoding/binary"
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
	names    []string
	services map[string]*service
	actions  []Action // of all services; each has its part of it, empty until it is read
}

type service struct {
	name string
	text string // the lines of the service, until they are read
	once sync.Once

	actions []Action
	first   int               // the place of its first among all actions
	keys    map[string]string // condition key → type

	named  sync.Once
	byName map[string]int // without prefix, lower case; of most services nobody asks
}

func unpack() io.Reader {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		panic(fmt.Errorf("read catalogue: %w", err))
	}
	return r
}

// version reads the first line alone: "agent version" needs no more.
var version = sync.OnceValue(func() string {
	line, err := bufio.NewReader(unpack()).ReadString('\n')
	if err != nil {
		panic(fmt.Errorf("read catalogue: %w", err))
	}
	return strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "V ")
})

// load unpacks the data once. The data is part of the program, so a fault in it
// is a fault of the build and panics; a test reads all of it.
var load = sync.OnceValue(func() *table {
	r := unpack()
	var raw strings.Builder
	raw.Grow(int(binary.LittleEndian.Uint32(packed[len(packed)-4:]))) // gzip ends with the size
	if _, err := io.Copy(&raw, r); err != nil {
		panic(fmt.Errorf("read catalogue: %w", err))
	}
	_, rest, _ := strings.Cut(raw.String(), "\nS ")
	t := &table{services: map[string]*service{}}
	for block := range strings.SplitSeq(rest, "\nS ") {
		name, text, _ := strings.Cut(block, "\n")
		t.names = append(t.names, name)
		t.services[name] = &service{name: name, text: "\n" + text}
	}
	sort.Strings(t.names)
	t.actions = make([]Action, strings.Count(rest, "\nA "))
	free := t.actions
	for _, name := range t.names {
		s := t.services[name]
		n := strings.Count(s.text, "\nA ")
		s.first, s.actions, free = len(t.actions)-len(free), free[:0:n], free[n:]
	}
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
	s.keys = map[string]string{}
	for line := range strings.Lines(s.text) {
		kind, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		name, rest, _ := strings.Cut(rest, "\t")
		switch kind {
		case "K":
			keys = append(keys, name)
			s.keys[name] = rest
		case "R":
			types = append(types, ResourceType{Name: name, ARN: rest})
		case "A":
			level, rest, _ := strings.Cut(rest, "\t")
			ofTypes, ofKeys, _ := strings.Cut(rest, "\t")
			full := s.name + ":" + name
			s.actions = append(s.actions, Action{
				Name: full, Lower: strings.ToLower(full), Service: s.name, Level: levels[level], Class: classes[level],
				Resources: pick(typeLists, ofTypes, types), Keys: pick(keyLists, ofKeys, keys),
			})
		}
	}
	if s.name == "s3" {
		s.judge()
	}
	s.text = ""
}

// find is the place of an action in the service, by its name without prefix in
// lower case.
func (s *service) find(name string) (int, bool) {
	s.read()
	s.named.Do(func() {
		s.byName = make(map[string]int, len(s.actions))
		for i := range s.actions {
			s.byName[s.actions[i].Lower[len(s.name)+1:]] = i
		}
	})
	i, ok := s.byName[name]
	return i, ok
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
	byName := make(map[string]int, len(s.actions))
	for i := range s.actions {
		byName[s.actions[i].Name] = i
	}
	for _, j := range list {
		i, ok := byName[j.Action]
		if !ok {
			continue // a test names these
		}
		a := &s.actions[i]
		a.Class, a.Also, a.Why = j.Class, j.Also, j.Why
	}
}
