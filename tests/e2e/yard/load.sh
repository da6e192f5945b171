# Loads the cargo as soon as nothing holds it up, and fails where there is none.
: > loading
tenths=0
while [ -e hold ] && [ "$tenths" -lt 600 ]; do
  sleep 0.1
  tenths=$((tenths + 1))
done
cp cargo loaded
