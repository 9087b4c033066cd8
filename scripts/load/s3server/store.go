package s3server

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"maps"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"
)

// Object is one version of an object.
type Object struct {
	Bucket, Key string
	VersionID   string // "" in a bucket without versions
	Body        []byte // with KeepAll; do not change it
	Size        int64
	ETag        string // with its quotes
	CRC64       uint64 // CRC-64/NVME of the whole object; 0 with Trust
	Header      http.Header
	Modified    time.Time
	By          string // the ARN of who wrote it
	Deleted     bool   // a delete marker
	Parts       int    // of a multipart upload

	claims map[string]string // algorithm → base64, what the API answers
	kind   string            // FULL_OBJECT or COMPOSITE
}

// Upload is an open multipart upload.
type Upload struct {
	Bucket, Key, ID string
	Parts           int
}

type bucket struct {
	Bucket
	objects map[string][]*Object // oldest first
}

type part struct {
	content
	etag string
}

type upload struct {
	Upload
	header http.Header
	by     string
	parts  map[int]*part
	done   *answer // the answer of a Complete that succeeded
	body   string  // and what was asked
}

func (s *Server) newBucket(b Bucket) *bucket {
	if b.Region == "" {
		b.Region = s.opts.Region
	}
	if b.Owner == "" {
		b.Owner = s.opts.Account
	}
	return &bucket{Bucket: b, objects: map[string][]*Object{}}
}

func (s *Server) bucket(name string) *bucket {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[name]
	if b == nil && len(s.opts.Buckets) == 0 && name != "" {
		b = s.newBucket(Bucket{Name: name})
		s.buckets[name] = b
	}
	return b
}

// current is the newest version of an object that is not deleted. The lock is held.
func (b *bucket) current(key string) *Object {
	v := b.objects[key]
	if len(v) == 0 || v[len(v)-1].Deleted {
		return nil
	}
	return v[len(v)-1]
}

// store puts an object in place, if the condition of the call holds. The lock is held.
func (s *Server) store(c *Call, b *bucket, o *Object) *answer {
	s.stats.Objects++
	if s.opts.Keep == KeepNothing {
		return nil
	}
	if ifs := c.Header.Get("If-None-Match"); ifs != "" && !s.opts.NoIfs && !(c.Op == CompleteMultipartUpload && s.lacks(NoJoinIfs)) {
		s.stats.Objects--
		if ifs != "*" {
			return refuse(501, "NotImplemented", "A header you provided implies functionality that is not implemented")
		}
		if b.current(c.Key) != nil {
			return Fault{Name: Exists}.refusal()
		}
		s.stats.Objects++
	}
	o.Bucket, o.Key, o.Modified, o.By = c.Bucket, c.Key, s.opts.Now(), c.Identity.ARN
	if b.Versioned {
		o.VersionID = fmt.Sprintf("v%08d", s.nextID.Add(1))
		b.objects[c.Key] = append(b.objects[c.Key], o)
	} else {
		b.objects[c.Key] = []*Object{o}
	}
	return nil
}

// Put places an object as somebody else's program would.
func (s *Server) Put(bucket, key string, body []byte) Object {
	b := s.bucket(bucket)
	if b == nil {
		panic("s3server: no bucket " + bucket)
	}
	in := intake{keep: true}
	in.hashes = map[string]hash.Hash{"crc64nvme": newHash("crc64nvme"), "md5": newHash("md5")}
	in.add(body)
	o := &Object{Body: in.data, Size: in.size, CRC64: binary.BigEndian.Uint64(in.hashes["crc64nvme"].Sum(nil)), kind: "FULL_OBJECT",
		ETag: fmt.Sprintf(`"%x"`, in.hashes["md5"].Sum(nil)), Header: http.Header{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store(&Call{Bucket: bucket, Key: key, Header: http.Header{}, Identity: Admin}, b, o)
	return *o
}

// Remove deletes all versions of an object, as nobody with a write-only key could.
func (s *Server) Remove(bucket, key string) {
	if b := s.bucket(bucket); b != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(b.objects, key)
	}
}

// Object is the current version of an object.
func (s *Server) Object(bucket, key string) (Object, bool) {
	if b := s.bucket(bucket); b != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if o := b.current(key); o != nil {
			return *o, true
		}
	}
	return Object{}, false
}

// Versions are all versions of all objects of a bucket, by key and then oldest first.
func (s *Server) Versions(bucket string) []Object {
	var all []Object
	if b := s.bucket(bucket); b != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, key := range slices.Sorted(maps.Keys(b.objects)) {
			for _, o := range b.objects[key] {
				all = append(all, *o)
			}
		}
	}
	return all
}

// Objects are the current objects of a bucket, by key.
func (s *Server) Objects(bucket string) []Object {
	var all []Object
	if b := s.bucket(bucket); b != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, key := range slices.Sorted(maps.Keys(b.objects)) {
			if o := b.current(key); o != nil {
				all = append(all, *o)
			}
		}
	}
	return all
}

// Uploads are the open multipart uploads, by id.
func (s *Server) Uploads() []Upload {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Upload
	for _, u := range s.uploads {
		if u.done == nil {
			u.Parts = len(u.parts)
			all = append(all, u.Upload)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all
}

// DropUpload ends an upload as a lifecycle rule does.
func (s *Server) DropUpload(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.uploads, id)
}

// checksums are what the API tells of an object: what its writer claimed, else the CRC64NVME that S3
// computes by itself.
func (o *Object) checksums() map[string]string {
	if len(o.claims) > 0 {
		return o.claims
	}
	return map[string]string{"crc64nvme": encode(o.CRC64)}
}

func encode(crc uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], crc)
	return base64.StdEncoding.EncodeToString(b[:])
}

// kept are the headers that an object carries.
func kept(h http.Header) http.Header {
	k := http.Header{}
	for name, v := range h {
		switch {
		case strings.HasPrefix(name, "X-Amz-Meta-"), name == "Content-Type", name == "Cache-Control", name == "Content-Disposition",
			name == "Content-Language", name == "X-Amz-Storage-Class", name == "X-Amz-Tagging", name == "X-Amz-Server-Side-Encryption":
			k[name] = v
		}
	}
	return k
}
