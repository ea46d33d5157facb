package persist

// Data of modules are skipped: what they mean only the module knows. They are a
// module's ID and a sequence of numbers and strings, each with its kind before.
const (
	moduleEnd    = 0
	moduleSigned = 1
	moduleUint   = 2
	moduleFloat  = 3
	moduleDouble = 4
	moduleString = 5
)

// module skips the value of a key.
func (f *rdbFile) module(kind byte) error {
	id, err := f.d.size()
	if err != nil {
		return err
	}
	if err := f.tellModule(id); err != nil {
		return err
	}
	if kind == typeModule1 {
		return malformed("a value of the module " + moduleName(id) + " in the form of Redis 4's release candidates")
	}
	if err := f.skipModule(); err != nil {
		return err
	}
	f.clear()
	return nil
}

// moduleAux skips what a module keeps beside the keys.
func (f *rdbFile) moduleAux() error {
	var id, kind, when uint64
	if err := f.d.sizes(&id, &kind, &when); err != nil {
		return err
	}
	if kind != moduleUint {
		return malformed("a module's data without the time when to load them")
	}
	if err := f.tellModule(id); err != nil {
		return err
	}
	return f.skipModule()
}

func (f *rdbFile) tellModule(id uint64) error {
	if f.Module == nil {
		return malformed("data of the module " + moduleName(id))
	}
	return told(f.Module(f.entry.DB, f.entry.Key, moduleName(id)))
}

func (f *rdbFile) skipModule() error {
	for {
		kind, err := f.d.size()
		if err != nil {
			return err
		}
		switch kind {
		case moduleEnd:
			return nil
		case moduleSigned, moduleUint:
			_, err = f.d.size()
		case moduleFloat:
			_, err = f.d.take(4)
		case moduleDouble:
			_, err = f.d.take(8)
		case moduleString:
			_, err = f.d.string()
		default:
			err = malformed("a module's data of an unknown kind")
		}
		if err != nil {
			return err
		}
	}
}

// moduleName is the name in an ID: nine letters of six bits above ten bits of
// version.
func moduleName(id uint64) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var name [9]byte
	for i := range name {
		name[i] = letters[id>>(58-6*i)&63]
	}
	return string(name[:])
}
