package cli

// code is how a command ends. The table exits is the one place from which the
// help and the docs are made.
type code int

const (
	done      code = 0
	answerNo  code = 1
	badInput  code = 2
	notPassed code = 3
	undecided code = 4
)

// exits is the table of exit codes, each with the id of its meaning.
var exits = []struct {
	code    code
	meaning string
}{
	{done, "cli.exit-0"},
	{answerNo, "cli.exit-1"},
	{badInput, "cli.exit-2"},
	{notPassed, "cli.exit-3"},
	{undecided, "cli.exit-4"},
}

// precedence orders the codes: of several, the first here is the one to end
// with.
var precedence = []code{badInput, notPassed, answerNo, undecided, done}

// worst is the code to end with where several apply.
func worst(codes ...code) code {
	for _, p := range precedence {
		for _, c := range codes {
			if c == p {
				return p
			}
		}
	}
	return done
}

// exitError ends a command with a code. Its err is put into words on standard
// error; without one nothing more is said, because the command already did.
type exitError struct {
	code code
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// exit ends a command with a code after it has said all there is to say; done
// is no error.
func exit(c code) error {
	if c == done {
		return nil
	}
	return &exitError{code: c}
}

// fail ends a command with a code and the sentence for err.
func fail(c code, err error) error { return &exitError{code: c, err: err} }

// message is an error that is a sentence of locale.
type message struct {
	id   string
	args []any
}

func (m message) Error() string            { return m.id }
func (m message) Message() (string, []any) { return m.id, m.args }

// sentence is an error with the text of that id; args are as of Printer.Text.
func sentence(id string, args ...any) error { return message{id, args} }

// usage ends a command with code 2 and a sentence about how it was called.
func usage(id string, args ...any) error { return fail(badInput, sentence(id, args...)) }
