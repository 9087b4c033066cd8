package main

import (
	"fmt"
	"slices"
	"strings"
)

// languages are those of the sentences, in their order there.
var languages = []string{"en", "es"}

// speak chooses the language as the agent does: --lang, else LC_ALL, LC_MESSAGES
// and LANG, the first of them that is set. The flag is looked for before the
// others are read, for their help is in that language too.
func speak(args []string, getenv func(string) string) int {
	wanted := []string{getenv("LC_ALL"), getenv("LC_MESSAGES"), getenv("LANG")}
	for i, arg := range args {
		name, value, given := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if name != "-lang" && name != "lang" || !strings.HasPrefix(arg, "-") {
			continue
		}
		if !given && i+1 < len(args) {
			value = args[i+1]
		}
		wanted = append([]string{value}, wanted...)
	}
	for _, w := range wanted {
		if w != "" {
			return max(0, slices.IndexFunc(languages, func(l string) bool { return strings.HasPrefix(strings.ToLower(w), l) }))
		}
	}
	return 0
}

// text is the sentence of that id in the reader's language.
func (k *keys) text(id string, args ...any) string {
	return fmt.Sprintf(sentences[id][k.lang], args...)
}

// say tells people something.
func (k *keys) say(id string, args ...any) { fmt.Fprintln(k.log, k.text(id, args...)) }

// fault is an error in the reader's language; it wraps the error for which its
// sentence has a %w.
func (k *keys) fault(id string, args ...any) error {
	return fmt.Errorf(sentences[id][k.lang], args...)
}

// misuse is a fault of how the program was called.
func (k *keys) misuse(id string, args ...any) error { return usageError{k.text(id, args...)} }

// sentences are everything that the program says, in English and in Spanish.
var sentences = map[string][2]string{
	"usage":            {"usage: keys issue-key|rotate-key|revoke-key|agent-config …", "uso: keys issue-key|rotate-key|revoke-key|agent-config …"},
	"usage-of":         {"Options of %s:", "Opciones de %s:"},
	"default":          {"(default %s)", "(por defecto, %s)"},
	"bad-flag":         {"scripts/%s: %v.\nSee its options:  scripts/%[1]s --help", "scripts/%s: %v.\nVéanse sus opciones:  scripts/%[1]s --help"},
	"bad-lang":         {"--lang takes en or es, not %q", "--lang admite en o es, no %q"},
	"no-command":       {"keys: there is no command %q", "keys: no hay ningún comando %q"},
	"one-too-many":     {"scripts/%s: %q is one argument too many", "scripts/%s: %q es un argumento de más"},
	"flag-lang":        {"`language`: en or es", "`idioma`: en o es"},
	"flag-path":        {"IAM `path` of the uploaders", "`ruta` de IAM de los remitentes"},
	"flag-dry-run":     {"say what would be done, and do nothing", "decir qué se haría, sin hacer nada"},
	"flag-o":           {"credentials `file` to make, or - for a pipe (default NAME.credentials)", "`archivo` de credenciales que crear, o - para una tubería (por defecto, NOMBRE.credentials)"},
	"flag-wait":        {"`time` to wait for the new key's first use; 0 only looks", "`tiempo` de espera del primer uso de la clave nueva; con 0 solo se mira"},
	"flag-confirmed":   {"the new key is in use on the VM: don't wait to see it", "la clave nueva ya se usa en la VM: no esperar a verlo"},
	"flag-delete-old":  {"delete the old key, once it is inactive", "eliminar la clave antigua, una vez inactiva"},
	"flag-restart":     {"the new key's file was lost: delete that key and make another", "se perdió el archivo de la clave nueva: eliminar esa clave y crear otra"},
	"flag-all-keys":    {"of every uploader under the path", "de todos los remitentes bajo la ruta"},
	"flag-stack":       {"`name` of the stack", "`nombre` de la pila"},
	"flag-all-configs": {"write a file for every uploader into this `folder`", "escribir un archivo por remitente en esta `carpeta`"},
	"aws-settings":     {"read the AWS settings: %w", "leer los ajustes de AWS: %w"},

	"two-keys": {
		"%s has %d access keys (%s), and IAM allows no third.\nDelete one that is not in use:  scripts/revoke-key %[1]s KEY, or finish its rotation:  scripts/rotate-key %[1]s",
		"%s tiene %d claves de acceso (%s), e IAM no permite una tercera.\nElimine una que no esté en uso:  scripts/revoke-key %[1]s CLAVE, o termine su rotación:  scripts/rotate-key %[1]s",
	},
	"has-key": {
		"%s has a key already (%s). To replace it, scripts/rotate-key %[1]s also retires the old one.",
		"%s ya tiene una clave (%s). Para sustituirla, scripts/rotate-key %[1]s retira además la antigua.",
	},
	"no-name": {"the uploader's name is missing, as in:  scripts/issue-key vm-01", "falta el nombre del remitente, como en:  scripts/issue-key vm-01"},
	"no-user": {
		"there is no IAM user %q.\nUploaders are made by the stack: add the name to \"uploaders\" in cdk.json, then  scripts/cdk deploy",
		"no hay ningún usuario de IAM %q.\nLos remitentes los crea la pila: añada el nombre a \"uploaders\" en cdk.json y después  scripts/cdk deploy",
	},
	"look-up": {"look up %s: %w", "buscar %s: %w"},
	"no-uploader": {
		"%s is no uploader: its IAM path is %s, not %s.\nIf the stack has another path, give it with --path",
		"%s no es un remitente: su ruta de IAM es %s, no %s.\nSi la pila tiene otra ruta, indíquela con --path",
	},
	"list-keys":  {"list the keys of %s: %w", "enumerar las claves de %s: %w"},
	"would-make": {"Would make an access key for %s and write it to %s.", "Se crearía una clave de acceso para %s y se escribiría en %s."},
	"make-key":   {"make a key for %s: %w", "crear una clave para %s: %w"},
	"make-no-answer": {
		"make a key for %s: %w.\nNo answer came, so there may be a key whose secret nobody has. See which keys there are:  scripts/revoke-key %[1]s --dry-run",
		"crear una clave para %s: %w.\nNo llegó respuesta, así que puede haber una clave cuyo secreto no tiene nadie. Para ver qué claves hay:  scripts/revoke-key %[1]s --dry-run",
	},
	"write-undone": {"write %s: %w; the key was deleted again", "escribir %s: %w; la clave se eliminó de nuevo"},
	"write":        {"write %s: %w", "escribir %s: %w"},
	"not-undone": {
		"and the key %s could not be deleted: %w.\nDelete it:  scripts/revoke-key %s %[1]s",
		"y la clave %s no se pudo eliminar: %w.\nElimínela:  scripts/revoke-key %s %[1]s",
	},
	"no-answer":  {"the key %s is written, but STS does not know it yet: %w", "la clave %s está escrita, pero STS aún no la conoce: %w"},
	"made-piped": {"%s has the new key %s, and it answers.", "%s tiene la clave nueva %s, y responde."},
	"made": {
		"%s has the new key %s, and it answers. It is in %s (readable by you alone): move it to the VM, then delete it here.",
		"%s tiene la clave nueva %s, y responde. Está en %s (solo usted puede leerlo): llévela a la VM y bórrela después aquí.",
	},
	"file-exists": {
		"%s exists already, and a key is never written over something.\nName another file with -o",
		"%s ya existe, y una clave nunca se escribe sobre otra cosa.\nNombre otro archivo con -o",
	},
	"make-file": {"make the credentials file: %w", "crear el archivo de credenciales: %w"},
	"need-pipe": {"-o - needs a pipe", "-o - necesita una tubería"},
	"no-terminal": {
		"-o - writes the secret to a pipe, not to a terminal, as in:\n  scripts/issue-key vm-01 -o - | ssh vm-01 'sudo install -m600 -o buzon /dev/stdin /etc/buzon/credentials'",
		"-o - escribe el secreto en una tubería, no en un terminal, como en:\n  scripts/issue-key vm-01 -o - | ssh vm-01 'sudo install -m600 -o buzon /dev/stdin /etc/buzon/credentials'",
	},
	"credentials": {"The access key of the uploader %s. For its VM only, mode 0600.", "La clave de acceso del remitente %s. Solo para su VM, modo 0600."},

	"nothing-to-rotate": {"%s has no key to rotate.\nMake its first one:  scripts/issue-key %[1]s", "%s no tiene ninguna clave que rotar.\nCree la primera:  scripts/issue-key %[1]s"},
	"only-one-works": {
		"the older key of %s is inactive, so %s is the only one that works: not deleted",
		"la clave más antigua de %s está inactiva, así que %s es la única que funciona: no se elimina",
	},
	"no-restart":   {"%s has one key: nothing to start again from.", "%s tiene una sola clave: no hay nada que recomenzar."},
	"nothing-left": {"%s has one key (%s): nothing is left to delete.", "%s tiene una sola clave (%s): no queda nada que eliminar."},
	"only-inactive": {
		"the only key of %s is inactive (%s): this is no rotation.\nDelete it:  scripts/revoke-key %[1]s  and make another:  scripts/issue-key %[1]s",
		"la única clave de %s está inactiva (%s): esto no es una rotación.\nElimínela:  scripts/revoke-key %[1]s  y cree otra:  scripts/issue-key %[1]s",
	},
	"keys-changed": {
		"the keys of %s changed meanwhile (%s).\nLook again:  scripts/rotate-key %[1]s",
		"las claves de %s cambiaron entretanto (%s).\nMire otra vez:  scripts/rotate-key %[1]s",
	},
	"newer-inactive": {
		"the newer key of %s is inactive (%s): this is no rotation under way.\nDelete the one that is not wanted:  scripts/revoke-key %[1]s KEY",
		"la clave más reciente de %s está inactiva (%s): no hay ninguna rotación en curso.\nElimine la que no se quiera:  scripts/revoke-key %[1]s CLAVE",
	},
	"old-inactive": {
		"The old key %s is inactive. Should the VM miss it, it can be switched on again in IAM.\nWhen all has gone well for a while:  scripts/rotate-key %s --delete-old",
		"La clave antigua %s está inactiva. Si la VM la echa en falta, se puede activar otra vez en IAM.\nCuando todo haya ido bien un tiempo:  scripts/rotate-key %s --delete-old",
	},
	"waiting": {
		"Waiting until the VM uses %s. Install it there; this may be interrupted, and run again.",
		"Esperando a que la VM use %s. Instálela allí; esto se puede interrumpir y ejecutar otra vez.",
	},
	"wait": {"wait for the first use of %s: %w", "esperar el primer uso de %s: %w"},
	"not-used": {
		"the new key %s has not been used yet, so the old one stays.\nGo on when it is installed:  scripts/rotate-key %s\nIf you know that it is in use:  scripts/rotate-key %[2]s --confirmed\nIf its file was lost:  scripts/rotate-key %[2]s --restart",
		"la clave nueva %s aún no se ha usado, así que la antigua se queda.\nSiga cuando esté instalada:  scripts/rotate-key %s\nSi sabe que ya se usa:  scripts/rotate-key %[2]s --confirmed\nSi se perdió su archivo:  scripts/rotate-key %[2]s --restart",
	},
	"would-deactivate": {"Would deactivate %s of %s.", "Se desactivaría %s de %s."},
	"deactivate":       {"deactivate %s of %s: %w", "desactivar %s de %s: %w"},
	"would-delete":     {"Would delete %s of %s.", "Se eliminaría %s de %s."},
	"delete":           {"delete %s of %s: %w", "eliminar %s de %s: %w"},
	"deleted":          {"Deleted %s of %s.", "Eliminada %s de %s."},

	"name-or-all":  {"either a name or --all, not both", "o un nombre o --all, no los dos"},
	"revoke-whose": {"which uploader's?  scripts/revoke-key NAME, or  scripts/revoke-key --all", "¿de qué remitente?  scripts/revoke-key NOMBRE, o bien  scripts/revoke-key --all"},
	"nobody":       {"There is no uploader under %s.", "No hay ningún remitente bajo %s."},
	"no-keys":      {"%s has no keys.", "%s no tiene claves."},
	"no-such-key":  {"%s has no key %s", "%s no tiene ninguna clave %s"},
	"list-users":   {"list the users under %s: %w", "enumerar los usuarios bajo %s: %w"},
	"list-roles":   {"list the roles under %s: %w", "enumerar los roles bajo %s: %w"},
	"config-whose": {"whose?  scripts/agent-config NAME > agent.yaml, or  scripts/agent-config --all DIR", "¿de quién?  scripts/agent-config NOMBRE > agent.yaml, o bien  scripts/agent-config --all CARPETA"},
	"make-folder":  {"make the folder: %w", "crear la carpeta: %w"},
	"config-differs": {
		"%s is there and says something else: kept.\nMove it away to have it made again",
		"%s ya está y dice otra cosa: se conserva.\nApártelo para que se cree otra vez",
	},
	"would-write":  {"Would write %s.", "Se escribiría %s."},
	"write-config": {"write the configuration of %s: %w", "escribir la configuración de %s: %w"},
	"wrote":        {"%d uploaders: wrote %d configurations to %s.", "Remitentes: %d; configuraciones escritas: %d, en %s."},
	"read-outputs": {"read the outputs of the stack %s: %w", "leer las salidas de la pila %s: %w"},
	"no-output":    {"the stack %s has no output %s: is it Buzón's?", "la pila %s no tiene la salida %s: ¿es la de Buzón?"},
	"no-principal": {
		"there is no uploader %q under %s.\nAdd the name to \"uploaders\" in cdk.json, then  scripts/cdk deploy",
		"no hay ningún remitente %q bajo %s.\nAñada el nombre a \"uploaders\" en cdk.json y después  scripts/cdk deploy",
	},
	"config-about": {
		"# The agent's configuration for %s, made from the stack by scripts/agent-config.\n# It belongs in /etc/buzon/agent.yaml; it holds no secret.",
		"# La configuración del agente para %s, hecha a partir de la pila por scripts/agent-config.\n# Su sitio es /etc/buzon/agent.yaml; no contiene ningún secreto.",
	},
}
